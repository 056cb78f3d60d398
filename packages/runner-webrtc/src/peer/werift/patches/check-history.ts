import type { Message, Protocol, RTCIceTransport } from "werift";

/**
 * Private members: `Connection.checkIncoming`, `CandidatePair.requestTransactionIds`.
 *
 * Forgets the ids of a caller's checks, which werift keeps to count the repeated ones. Without this patch, each check takes 67
 * bytes until the call ends: a caller that sends as many as it may takes 50 MB per hour and socket.
 *
 * Upstream issue: "ICE: the transaction ids of incoming checks are never removed".
 */
export function forgetChecks({ connection }: Pick<RTCIceTransport, "connection">): void {
  const internals = connection as unknown as IceInternals;
  const { checkIncoming } = internals;
  internals.checkIncoming = (request, from, protocol) => {
    checkIncoming.call(connection, request, from, protocol);
    for (const { requestTransactionIds } of internals.checkList) requestTransactionIds.clear();
  };
}

interface IceInternals {
  readonly checkList: readonly { readonly requestTransactionIds: Set<string> }[];
  checkIncoming(request: Message, from: readonly [host: string, port: number], protocol: Protocol): void;
}

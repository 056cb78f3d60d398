import type { CandidatePair, Connection, Message, Protocol, RTCIceTransport } from "werift";

/** The time without a nomination of the selected pair after which a nomination of another pair counts, in ms. */
const settledMs = 1_000;

/**
 * Private members: `Connection.checkIncoming`, `queryConsent`, `setState`.
 *
 * Sends on the pair that the caller nominated last. A browser that loses its cable or its VPN moves to another of its paths without an
 * ICE restart: it nominates the pair of that path, and continues to send there.
 *
 * Chromium nominates the pair that it uses, again and again. Firefox nominates all pairs, but only at the start of a call, so
 * another pair counts when the selected one has not been nominated for a second.
 *
 * Without this patch, checks on the new pair are answered, but everything is sent to the old one: the caller hears the bot no more.
 *
 * Upstream issue: "ICE: the controlled agent ignores the nomination of another valid pair".
 */
export function followCaller({ connection }: Pick<RTCIceTransport, "connection">): void {
  const internals = connection as unknown as IceInternals;
  const { checkIncoming } = internals;
  const nominatedAtMs = new WeakMap<CandidatePair, number>();

  function nominate(pair: CandidatePair): void {
    const nowMs = performance.now();
    const { nominated } = internals;
    nominatedAtMs.set(pair, nowMs);
    if (nominated === undefined || nominated === pair || pair.state !== succeeded) return;
    if (nowMs - (nominatedAtMs.get(nominated) ?? 0) < settledMs) return;
    internals.nominated = pair;
    // Consent to send to the old address may have expired.
    if (internals.state === "failed") internals.setState("connected");
    internals.queryConsent();
  }

  internals.checkIncoming = (request, from, protocol) => {
    checkIncoming.call(connection, request, from, protocol);
    if (internals.iceControlling || !request.attributesKeys.includes("USE-CANDIDATE")) return;
    const [host, port] = from;
    const isPair = (each: CandidatePair) =>
      each.protocol === protocol && each.remoteAddr[1] === port && each.remoteAddr[0] === host;
    const pair = internals.checkList.find(isPair);
    if (pair) nominate(pair);
  };
}

/** A state of a candidate pair. */
const succeeded = 3;

interface IceInternals extends Pick<Connection, "state" | "checkList" | "iceControlling"> {
  nominated: CandidatePair | undefined;
  checkIncoming(request: Message, from: readonly [host: string, port: number], protocol: Protocol): void;
  queryConsent(): void;
  setState(state: Connection["state"]): void;
}

import { parseMessage, type TurnProtocol } from "werift";
import type { SocketAddress } from "../../udp-transport.ts";

/**
 * Private member: `TurnProtocol.handleSTUNMessage`.
 *
 * A TURN server cannot sign a response that refuses the credentials (401) or reports a stale nonce (438) (RFC 8489, section
 * 9.2.4). werift drops unsigned responses to signed requests. Without this patch, wrong credentials are noticed only when the
 * request times out, and an allocation with a stale nonce is lost.
 *
 * Upstream issue: "TURN: unsigned 401 and 438 responses are dropped, so wrong credentials time out".
 */
export function acceptUnsignedRefusals(turn: TurnProtocol): void {
  const internals = turn as unknown as TurnInternals;
  const handle = internals.handleSTUNMessage.bind(turn);
  internals.handleSTUNMessage = (data, from) => {
    const message = parseMessage(data);
    const [code] = message?.getAttributeValue("ERROR-CODE") ?? [];
    const transaction = message && internals.transactions[message.transactionIdHex];
    if (transaction !== undefined && (code === 401 || code === 438)) transaction.integrityKey = undefined;
    handle(data, from);
  };
}

interface TurnInternals {
  readonly transactions: Readonly<Record<string, { integrityKey: Buffer | undefined }>>;
  handleSTUNMessage(data: Buffer, from: SocketAddress): void;
}

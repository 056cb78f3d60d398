import type { RTCSctpTransport } from "werift";

/**
 * Private member: `RTCSctpTransport.datachannelReceive`.
 *
 * Without this patch, a data channel message that werift cannot read (an acknowledgment of a channel that was never opened, an
 * unknown payload protocol) becomes an unhandled rejection, which ends the process. `dropped` is called for each instead.
 *
 * Upstream issue: "A malformed data channel message from the peer causes an unhandled rejection".
 */
export function catchDataChannelErrors(transport: RTCSctpTransport, dropped: () => void): void {
  const { datachannelReceive } = transport as unknown as SctpTransportInternals;
  transport.sctp.onReceive.allUnsubscribe();
  transport.sctp.onReceive.subscribe((streamId, protocol, data) => {
    datachannelReceive(streamId, protocol, data).catch(dropped);
  });
}

interface SctpTransportInternals {
  datachannelReceive(streamId: number, protocol: number, data: Buffer): Promise<void>;
}

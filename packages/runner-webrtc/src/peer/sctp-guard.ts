import type { RTCDtlsTransport, RTCSctpTransport } from "werift";

/**
 * Keeps what a caller sends over its data channels from hurting more than that caller: the engine leaves the rejections of
 * its own handlers unhandled, and holds unfinished messages without end. `heard` is told of whatever
 * comes, `dropped` of each message that cannot be understood, `overrun` when the caller ignores how much may be under way (RFC 9260, section 6.2).
 */
export function guardSctp(
  transport: RTCSctpTransport,
  dtls: RTCDtlsTransport,
  handle: { heard(): void; dropped(error: unknown): void; overrun(): void },
): void {
  const sctp = transport.sctp as unknown as SctpInside;
  dtls.dataReceiver = (data) => {
    handle.heard();
    sctp.handleData(data).catch(handle.dropped);
    if (sctp.advertisedRwnd < 0) handle.overrun();
  };
  transport.sctp.onReceive.allUnsubscribe();
  const { datachannelReceive } = transport as unknown as TransportInside;
  transport.sctp.onReceive.subscribe((streamId, protocol, data) => {
    datachannelReceive(streamId, protocol, data).catch(handle.dropped);
  });
}

/** The engine's parts that its types hide, as of 0.25.2. */
interface SctpInside {
  readonly advertisedRwnd: number;
  handleData(data: Buffer): Promise<void>;
}
interface TransportInside {
  datachannelReceive(streamId: number, protocol: number, data: Buffer): Promise<void>;
}

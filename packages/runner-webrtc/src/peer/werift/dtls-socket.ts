import type { RTCDtlsTransport } from "werift";

type DtlsSocket = NonNullable<RTCDtlsTransport["dtls"]>;

/** Calls `ready` as soon as the transport has a DTLS socket, before any handshake message is sent or read. */
export function onDtlsSocket(transport: RTCDtlsTransport, ready: (socket: DtlsSocket) => void): void {
  transport.onStateChange.subscribe((state) => {
    if (state !== "connecting") return;
    // werift creates the socket right after this event, in the same turn of the event loop.
    setImmediate(() => {
      if (transport.dtls !== undefined) ready(transport.dtls);
    });
  });
}

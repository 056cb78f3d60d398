import { DtlsClient, type RTCDtlsTransport } from "werift";
import { onDtlsSocket } from "../dtls-socket.ts";

/**
 * Internal member: `DtlsClient.connect`.
 *
 * A DTLS client of werift waits 100 ms before its first handshake message. Browsers do not: without this patch, each simulated
 * caller connects 100 ms later than a real one.
 *
 * Upstream issue: "`RTCDtlsTransport.start()` waits 100 ms before ClientHello".
 */
export function sendHelloAtOnce(transport: RTCDtlsTransport): void {
  onDtlsSocket(transport, (socket) => {
    if (!(socket instanceof DtlsClient)) return;
    const connecting = socket.connect();
    // werift calls it after 100 ms, and handles its errors.
    connecting.catch(() => undefined);
    socket.connect = () => connecting;
  });
}

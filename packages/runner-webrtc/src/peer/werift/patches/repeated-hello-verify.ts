import type { RTCDtlsTransport } from "werift";
import { onDtlsSocket } from "../dtls-socket.ts";

/** The handshake type `HelloVerifyRequest` (RFC 6347, section 4.3.2). */
const helloVerifyRequest = 3;

/**
 * Internal members: `DtlsClient.onHandleHandshakes`, `DtlsContext.flight`.
 *
 * On a slow network a DTLS client repeats its ClientHello, and the server answers both with a HelloVerifyRequest (RFC 6347,
 * section 4.2.4). Without this patch, werift's client treats the second one as an error and the call fails.
 *
 * Upstream issue: "DtlsClient fails when it receives HelloVerifyRequest twice".
 */
export function ignoreRepeatedHelloVerify(transport: RTCDtlsTransport): void {
  onDtlsSocket(transport, (socket) => {
    if (transport.role !== "client") return;
    const handle = socket.onHandleHandshakes;
    socket.onHandleHandshakes = (handshakes) =>
      handle(handshakes.filter(({ msg_type }) => msg_type !== helloVerifyRequest || socket.dtls.flight < 3));
  });
}

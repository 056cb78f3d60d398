import type { RTCDtlsTransport } from "werift";

/** `HelloVerifyRequest` (RFC 6347, section 4.3.2). */
const helloVerifyRequest = 3;

/**
 * A DTLS server that was slow to answer is asked again, and answers twice (RFC 6347, section 4.2.4). The engine, where it is
 * the client, takes the second answer to its hello for a failure and gives the call up.
 */
export function ignoreRepeatedAnswers(dtls: RTCDtlsTransport): void {
  dtls.onStateChange.subscribe((state) => {
    if (state === "connecting") setImmediate(guard); // it is made just after the state changes, and says its hello later
  });

  function guard(): void {
    const client = dtls.dtls as unknown as ClientInside | undefined;
    if (client === undefined || dtls.role !== "client") return;
    const handle = client.onHandleHandshakes;
    client.onHandleHandshakes = (handshakes) =>
      handle(handshakes.filter(({ msg_type }) => msg_type !== helloVerifyRequest || client.dtls.flight < 3));
  }
}

/** The engine's parts that its types hide, as of 0.25.2. */
interface ClientInside {
  /** Which flight of the handshake was sent last. */
  readonly dtls: { readonly flight: number };
  onHandleHandshakes(handshakes: { readonly msg_type: number }[]): Promise<void>;
}

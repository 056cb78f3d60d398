import type { RTCDtlsTransport } from "werift";

/** The largest message of a handshake that is put together, in bytes. A browser's certificate has five hundred. */
const messageLimit = 32 * 1024;

/** The engine keeps parts of handshake messages until the last one comes. A certificate in parts has a dozen. */
const partsLimit = 64;

/**
 * Keeps a DTLS handshake from costing more memory than one does. The engine makes room for as much as a message says it has,
 * up to 16 MiB, whatever has come of it. To be called before the transport is started.
 */
export function boundHandshakes(dtls: RTCDtlsTransport): void {
  dtls.onStateChange.subscribe((state) => {
    if (state === "connecting") setImmediate(bound); // it is made just after the state changes
  });

  function bound(): void {
    const socket = dtls.dtls as unknown as DtlsInside | undefined;
    if (socket === undefined) return;
    const handle = socket.handleFragmentHandshake.bind(socket);
    socket.handleFragmentHandshake = (parts) => {
      const whole = handle(parts.filter(isOfOrdinarySize));
      if (socket.bufferFragmentedHandshakes.length > partsLimit) socket.bufferFragmentedHandshakes = [];
      return whole;
    };
  }
}

function isOfOrdinarySize({ length, fragment_offset, fragment_length }: HandshakePart): boolean {
  return length <= messageLimit && fragment_offset + fragment_length <= length;
}

/** The engine's parts that its types hide, as of 0.25.2. */
interface DtlsInside {
  bufferFragmentedHandshakes: HandshakePart[];
  handleFragmentHandshake(parts: HandshakePart[]): HandshakePart[];
}
interface HandshakePart {
  /** Of the whole message. */
  readonly length: number;
  readonly fragment_offset: number;
  readonly fragment_length: number;
}

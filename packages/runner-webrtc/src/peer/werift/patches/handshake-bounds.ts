import type { RTCDtlsTransport } from "werift";
import { onDtlsSocket } from "../dtls-socket.ts";

/** The largest handshake message that is reassembled, in bytes. A browser's certificate message has about 500. */
const messageLimit = 32 * 1024;

/** The maximum number of buffered fragments. A fragmented certificate has about a dozen. */
const fragmentLimit = 64;

/**
 * Private members: `DtlsSocket.bufferFragmentedHandshakes`, `DtlsSocket.handleFragmentHandshake`.
 *
 * Without this patch, werift allocates as many bytes as a handshake message announces, up to 16 MiB, however few arrive, and
 * buffers fragments without a limit. Call it before the transport starts.
 *
 * Upstream issue: "DTLS: one fragment makes the receiver allocate 16 MiB; fragments are buffered without a limit".
 */
export function boundHandshakes(transport: RTCDtlsTransport): void {
  onDtlsSocket(transport, (socket) => {
    const internals = socket as unknown as DtlsSocketInternals;
    const handle = internals.handleFragmentHandshake.bind(socket);
    internals.handleFragmentHandshake = (fragments) => {
      const complete = handle(fragments.filter(isWithinBounds));
      if (internals.bufferFragmentedHandshakes.length > fragmentLimit) internals.bufferFragmentedHandshakes = [];
      return complete;
    };
  });
}

function isWithinBounds({ length, fragment_offset, fragment_length }: HandshakeFragment): boolean {
  return length <= messageLimit && fragment_offset + fragment_length <= length;
}

export interface DtlsSocketInternals {
  bufferFragmentedHandshakes: HandshakeFragment[];
  handleFragmentHandshake(fragments: HandshakeFragment[]): HandshakeFragment[];
}

interface HandshakeFragment {
  /** Length of the whole message. */
  readonly length: number;
  readonly fragment_offset: number;
  readonly fragment_length: number;
}

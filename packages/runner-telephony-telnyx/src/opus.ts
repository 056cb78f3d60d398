import type { OpusDecoderHandle, OpusEncoderHandle } from "libopus-wasm";
import { wideSampleRate } from "./options.ts";

/** The duration of a packet to Telnyx, in ms, which is also the shortest that Telnyx accepts. */
export const opusFrameMs = 20;
/** In bit/s, as for WebRTC. At 32,000, the level of a steady tone of 6,000 Hz was up to 4 dB off. */
const bitrate = 56_000;
/** Packets held until libopus is loaded, which takes about 20 ms the first time. */
const maxHeld = 50;

/** Reads and writes the Opus packets of one call, mono. */
export interface OpusCodec {
  /** Resolves when `encode` can be called. */
  readonly ready: Promise<void>;
  /**
   * Decodes one packet (2.5 to 120 ms) at 16,000 Hz, whatever rate it was encoded at; `undefined` when it is invalid. Packets that
   * arrive before `ready` are held, and decoded with the first one after it.
   */
  decode(packet: Uint8Array): Int16Array | undefined;
  /** Encodes 20 ms. Returns no bytes before `ready` and after `close`. */
  encode(samples: Int16Array): Uint8Array;
  /** Frees encoder and decoder. */
  close(): void;
}

/** Opens a codec. Telnyx sends RTP payloads without headers, and such a payload is one packet: RFC 7587, section 4.2. */
export function openOpus(): OpusCodec {
  let encoder: OpusEncoderHandle | undefined;
  let decoder: OpusDecoderHandle | undefined;
  let isClosed = false;
  let held: Uint8Array[] = [];

  async function load(): Promise<void> {
    const libopus = await import("libopus-wasm");
    const format = { sampleRate: wideSampleRate, channels: 1 } as const;
    const frameSize = (wideSampleRate * opusFrameMs) / 1000;
    decoder = await libopus.createDecoder(format);
    encoder = await libopus.createEncoder({ ...format, application: libopus.Application.Voip, bitrate, frameSize });
    if (isClosed) free();
  }

  function free(): void {
    encoder?.free();
    decoder?.free();
    encoder = decoder = undefined;
  }

  function decodeOne(packet: Uint8Array): Int16Array | undefined {
    try {
      return decoder?.decode(packet);
    } catch {
      return undefined; // Not an Opus packet.
    }
  }

  return {
    ready: load(),
    decode(packet) {
      if (!decoder) {
        if (!isClosed) held = [...held.slice(1 - maxHeld), packet];
        return new Int16Array();
      }
      const last = decodeOne(packet);
      if (held.length === 0) return last;
      const all = [...held.map(decodeOne), last].flatMap((samples) => (samples ? [...samples] : []));
      held = [];
      return Int16Array.from(all);
    },
    encode: (samples) => encoder?.encode(samples) ?? new Uint8Array(),
    close() {
      isClosed = true;
      held = [];
      free();
    },
  };
}

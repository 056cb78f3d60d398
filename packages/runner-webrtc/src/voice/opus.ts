import type * as Libopus from "libopus-wasm";

/** Opus, loaded: makes encoders and decoders of mono sound. The engine behind it is this file's secret. */
export interface Opus {
  /** Rejects with RangeError on a setting that Opus does not have. */
  createEncoder(options: OpusEncoderOptions): Promise<OpusEncoder>;
  createDecoder(options: { readonly sampleRate: OpusSampleRate }): Promise<OpusDecoder>;
  /** How many encoders and decoders were made and not freed. */
  readonly live: { readonly encoders: number; readonly decoders: number };
}

/** The rates in Hz that Opus takes and gives, whatever the other side does. */
export type OpusSampleRate = 8_000 | 12_000 | 16_000 | 24_000 | 48_000;

/** The rates of Opus, the best first. */
export const opusSampleRates: readonly [OpusSampleRate, ...OpusSampleRate[]] = [48_000, 24_000, 16_000, 12_000, 8_000];

/** How an encoder works. */
export interface OpusEncoderOptions extends OpusSettings {
  readonly sampleRate: OpusSampleRate;
  /** See `OpusEncoder.setCopies`. Default true. */
  readonly copies?: boolean | undefined;
}

/** What one may choose of an encoder. */
export interface OpusSettings {
  /** In bit/s, from 6,000 to 510,000. Default 32,000. */
  readonly bitrate?: number | undefined;
  /** From 0, the cheapest, to 10, the best. Default 5. */
  readonly complexity?: number | undefined;
  /**
   * Whether a long silence becomes packets of one byte, for which the far end makes noise of its own: for bots whose voice
   * comes with a background. Default false, for silence is sent in few bytes, and as what it is, without.
   */
  readonly dtx?: boolean | undefined;
}

/** Encodes one stretch of sound. */
export interface OpusEncoder {
  /** The packet of exactly 20 ms. What is decoded of it is 6.5 ms behind. Throws RangeError on another length. */
  encode(samples: Int16Array): Uint8Array;
  /**
   * Whether a packet also holds a coarse copy of the frame before, for when that is lost on its way. Copies take bits from
   * the sound, and a quarter of the time that encoding takes.
   */
  setCopies(copies: boolean): void;
  /** Gives its memory back. Twice is once; nothing can be encoded after. */
  free(): void;
}

/** Decodes one stream. Bytes never throw: what is no Opus is answered by `undefined`, and leaves the decoder as it was. */
export interface OpusDecoder {
  /** The packet's sound, 2.5 to 120 ms of it, mixed to mono. */
  decode(packet: Uint8Array): Int16Array | undefined;
  /** The last `durationMs` before a packet that is here when those before it are not: from its copy of them, else guessed. */
  recover(next: Uint8Array, durationMs: number): Int16Array | undefined;
  /** A guess at how the sound went on: a multiple of 2.5 ms, up to 120. It fades when many follow each other. */
  conceal(durationMs: number): Int16Array | undefined;
  /** Gives its memory back. Twice is once; after it all answers are `undefined`. */
  free(): void;
}

/**
 * At 48,000 Hz and 32,000 bit/s libopus adds its copy of the frame before only to callers who are said to lose this much, in
 * %. It takes bits from the sound, so it is not set higher.
 */
const expectedLossPercent = 10;
/** RFC 6716, section 3.4: one packet of 120 ms at its largest is far below this; 20 ms at 510,000 bit/s are 1,275 bytes. */
const maxPacketBytes = 1_500;

/** Loads libopus, the first time in about 20 ms. */
export async function loadOpus(): Promise<Opus> {
  const libopus = await import("libopus-wasm");
  await libopus.loadLibopus();
  const live = { encoders: 0, decoders: 0 };
  return {
    live,
    async createEncoder({ sampleRate, bitrate = 32_000, complexity = 5, dtx = false, copies = true }) {
      const encoder = await libopus.createEncoder({
        sampleRate,
        channels: 1,
        application: libopus.Application.Voip,
        bitrate,
        complexity,
        dtx,
        fec: copies,
        packetLossPercent: expectedLossPercent,
      });
      live.encoders += 1;
      return {
        encode: (samples) => encoder.encode(samples, { maxPacketBytes }),
        setCopies: (on) => encoder.setFec(on),
        free: once(() => {
          encoder.free();
          live.encoders -= 1;
        }),
      };
    },
    async createDecoder({ sampleRate }) {
      const decoder = await libopus.createDecoder({ sampleRate, channels: 1 });
      live.decoders += 1;
      return decoderOf(decoder, () => {
        live.decoders -= 1;
      });
    },
  };
}

function decoderOf(decoder: Libopus.OpusDecoderHandle, freed: () => void): OpusDecoder {
  const samplesPerMs = decoder.sampleRate / 1000;

  function attempt(decode: () => Int16Array): Int16Array | undefined {
    try {
      return decode();
    } catch {
      return undefined; // whatever the bytes were, they were no Opus
    }
  }

  return {
    decode: (packet) => attempt(() => decoder.decode(packet)),
    recover: (next, durationMs) =>
      attempt(() => decoder.decode(next, { decodeFec: true, frameSize: durationMs * samplesPerMs })),
    conceal: (durationMs) => attempt(() => decoder.decodePacketLoss(durationMs * samplesPerMs)),
    free: once(() => {
      decoder.free();
      freed();
    }),
  };
}

function once(act: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    act();
  };
}

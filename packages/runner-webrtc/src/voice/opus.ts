import type * as Libopus from "libopus-wasm";

/** A loaded Opus library: creates encoders and decoders for mono audio. */
export interface Opus {
  /** Rejects with RangeError for a setting outside the range of Opus. */
  createEncoder(options: OpusEncoderOptions): Promise<OpusEncoder>;
  createDecoder(options: { readonly sampleRate: OpusSampleRate }): Promise<OpusDecoder>;
  /** The number of encoders and decoders that were created and not freed. */
  readonly live: { readonly encoders: number; readonly decoders: number };
}

/** The sample rates of Opus in Hz. Encoder and decoder may use different ones. */
export type OpusSampleRate = 8_000 | 12_000 | 16_000 | 24_000 | 48_000;

/** The sample rates of Opus, highest first. */
export const opusSampleRates: readonly [OpusSampleRate, ...OpusSampleRate[]] = [48_000, 24_000, 16_000, 12_000, 8_000];

export interface OpusEncoderOptions extends OpusSettings {
  readonly sampleRate: OpusSampleRate;
  /** See `OpusEncoder.setFec`. Default false. */
  readonly fec?: boolean | undefined;
}

/** The settings of an encoder that a bot may choose. */
export interface OpusSettings {
  /** In bit/s, from 6,000 to 510,000. Default 56,000, of which speech uses 50 to 70 %. */
  readonly bitrate?: number | undefined;
  /** From 0 (least CPU) to 10 (best quality). Default 5. */
  readonly complexity?: number | undefined;
  /**
   * Discontinuous transmission: a long silence is sent as packets of one byte, for which the far end generates comfort noise.
   * For bots whose audio has background noise. Default false: plain silence is small without it.
   */
  readonly dtx?: boolean | undefined;
}

/** Encodes one audio stream. */
export interface OpusEncoder {
  /**
   * Encodes exactly 20 ms, which the decoder returns 6.5 ms late. Silence takes fewer bits if the encoder knows of it. Throws
   * RangeError for another length.
   */
  encode(samples: Int16Array, isSilent?: boolean): Uint8Array;
  /**
   * Turns in-band FEC on or off: whether each packet also contains a low-bitrate copy of the frame before it, in case that is
   * lost. FEC takes bits from the audio, which then sounds worse without loss, and a quarter of the encoding time.
   */
  setFec(fec: boolean): void;
  /** Frees the memory, once. The encoder must not be used afterwards. */
  free(): void;
}

/** Decodes one stream. Never throws: returns `undefined` for an invalid packet, which leaves the decoder unchanged. */
export interface OpusDecoder {
  /** Decodes a packet: 2.5 to 120 ms, mixed to mono. */
  decode(packet: Uint8Array): Int16Array | undefined;
  /** Decodes the last `durationMs` before the packet `next`, when they were lost: from its in-band FEC, otherwise concealed. */
  decodeFec(next: Uint8Array, durationMs: number): Int16Array | undefined;
  /** Packet loss concealment (PLC): extrapolates the audio for a multiple of 2.5 ms, up to 120. Repeated concealment fades out. */
  conceal(durationMs: number): Int16Array | undefined;
  /** Frees the memory, once. Afterwards, all methods return `undefined`. */
  free(): void;
}

/**
 * Expected packet loss in % with FEC. The lowest value at which libopus adds in-band FEC at 48,000 Hz and 32,000 bit/s. A higher
 * value would take more bits from the audio.
 */
const expectedLossPercent = 10;
/** Bitrate of silence, in bit/s. At half of it, libopus would change its mode, and the first words after a pause would suffer. */
const silenceBitrate = 24_000;
/** 20 ms at 510,000 bit/s, the maximum, are 1,275 bytes. */
const maxPacketBytes = 1_500;

/** Loads libopus. Takes about 20 ms the first time. */
export async function loadOpus(): Promise<Opus> {
  const libopus = await import("libopus-wasm");
  await libopus.loadLibopus();
  const live = { encoders: 0, decoders: 0 };
  return {
    live,
    async createEncoder({ sampleRate, bitrate = 56_000, complexity = 5, dtx = false, fec = false }) {
      const encoder = await libopus.createEncoder({
        sampleRate,
        channels: 1,
        application: libopus.Application.Voip,
        bitrate,
        complexity,
        dtx,
        fec,
        packetLossPercent: fec ? expectedLossPercent : 0,
      });
      live.encoders += 1;
      let saves = false;
      return {
        encode(samples, isSilent = false) {
          if (saves !== isSilent) encoder.setBitrate(isSilent ? Math.min(bitrate, silenceBitrate) : bitrate);
          saves = isSilent;
          return encoder.encode(samples, { maxPacketBytes });
        },
        setFec(on) {
          encoder.setFec(on);
          encoder.setPacketLossPercent(on ? expectedLossPercent : 0);
        },
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
      return undefined; // Not an Opus packet.
    }
  }

  return {
    decode: (packet) => attempt(() => decoder.decode(packet)),
    decodeFec: (next, durationMs) =>
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

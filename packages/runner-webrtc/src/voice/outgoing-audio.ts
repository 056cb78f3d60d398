import type { AudioFrame } from "@pipecat-ts/audio";
import { type Opus, type OpusEncoder, type OpusSampleRate, type OpusSettings, opusSampleRates } from "./opus.ts";

/** The bot's voice on its way to the wire: what a `MediaPort` of 20 ms frames, `continuous`, sends through. */
export interface OutgoingAudio {
  /** The rates in Hz that frames may have, the preferred one first. */
  readonly sampleRates: readonly [number, ...number[]];
  /**
   * Sends 20 ms of mono sound. The first frame of a rate leaves when the turn of the event loop ends, every other one at
   * once. Throws what making the encoder failed with, RangeError on a rate or length it does not take.
   */
  send(frame: AudioFrame): void;
  /**
   * The caller reports how much of what was sent got lost, in %. While something does, and before the first report, packets
   * hold copies of the frames before them; it stops with the tenth report in a row that nothing did.
   */
  reportLoss(percent: number): void;
  /** Forgets what the encoder still holds: the last 6.5 ms, and the copy that the next packet would carry. */
  clear(): void;
  /** Frees the encoder. Twice is once; what is sent after it is dropped. */
  close(): void;
}

/** What it is built from. */
export interface OutgoingAudioOptions extends OpusSettings {
  readonly opus: Opus;
  /** That of the first packet. Any, unless said. */
  readonly timestamp?: number;
  /** Puts one packet on the wire: 20 ms further on than the one before. `timestamp` has 32 bits and counts at 48,000 Hz. */
  send(payload: Uint8Array, timestamp: number): void;
}

/** RFC 7587, section 4.1: the RTP clock of Opus counts at 48,000 Hz, whatever rate was encoded. */
const frameTicks = 960;
/** After this many silent frames, encoder and decoder hold nothing but silence, and every further packet can be the same. */
const settledFrames = 12;
/** Reports that nothing was lost, in a row, after which nothing is expected to be. */
const goodReports = 10;

interface Waiting {
  readonly samples: Int16Array;
  readonly sampleRate: OpusSampleRate;
  readonly timestamp: number;
}

/**
 * Encodes at the rate of the sound, with one encoder: that of the last frame that was not silent. Silence has no rate, so
 * that pauses do not change it. A packet is sent for every frame, so that the caller's browser sees the track alive; in a
 * long silence it is the same small one over and over, and costs nothing to make.
 */
export function createOutgoingAudio(options: OutgoingAudioOptions): OutgoingAudio {
  const { opus, bitrate, complexity, dtx } = options;
  let { timestamp = Math.floor(Math.random() * 2 ** 32) } = options;
  let waiting: Waiting[] = [];
  let encoder: OpusEncoder | undefined;
  let encoderRate: number | undefined;
  let silentFrames = 0;
  let silentPacket: Uint8Array | undefined;
  let reportsToGo = goodReports;
  let failure: unknown;
  let closed = false;

  function drop(): void {
    encoder?.free();
    encoder = undefined;
    encoderRate = undefined;
    silentFrames = 0;
    silentPacket = undefined;
  }

  /** Sends what waits, up to the first frame whose encoder is still to be made. */
  function drain(): void {
    for (let next = waiting[0]; next; next = waiting[0]) {
      const silent = isSilent(next.samples);
      if (encoderRate === undefined || (!silent && next.sampleRate !== encoderRate)) {
        drop();
        void make(next.sampleRate);
      }
      if (!encoder || encoderRate === undefined) return;
      waiting.shift();
      options.send(encode(encoder, encoderRate, next, silent), next.timestamp);
    }
  }

  function encode(by: OpusEncoder, rate: number, { samples, sampleRate }: Waiting, silent: boolean): Uint8Array {
    silentFrames = silent ? silentFrames + 1 : 0;
    if (silentFrames <= settledFrames) silentPacket = undefined;
    if (silentPacket) return silentPacket;
    const packet = by.encode(sampleRate === rate ? samples : new Int16Array(rate / 50));
    if (silentFrames >= settledFrames) silentPacket = packet;
    return packet;
  }

  async function make(sampleRate: OpusSampleRate): Promise<void> {
    encoderRate = sampleRate;
    try {
      const made = await opus.createEncoder({ sampleRate, bitrate, complexity, dtx, copies: reportsToGo > 0 });
      if (closed || encoder || encoderRate !== sampleRate) return made.free();
      encoder = made;
      drain();
    } catch (error) {
      failure = error;
      waiting = [];
      drop();
    }
  }

  return {
    sampleRates: opusSampleRates,
    send({ samples, sampleRate }) {
      if (closed) return;
      if (!isOpusSampleRate(sampleRate) || samples.length !== sampleRate / 50)
        throw new RangeError(`${samples.length} samples at ${sampleRate} Hz are not 20 ms at a rate of Opus.`);
      if (failure !== undefined) {
        const error = failure;
        failure = undefined;
        throw error;
      }
      waiting.push({ samples, sampleRate, timestamp });
      timestamp = (timestamp + frameTicks) >>> 0;
      drain();
    },
    reportLoss(percent) {
      const copied = reportsToGo > 0;
      reportsToGo = percent > 0 ? goodReports : Math.max(0, reportsToGo - 1);
      if (copied !== reportsToGo > 0) encoder?.setCopies(!copied);
    },
    clear() {
      waiting = [];
      drop();
    },
    close() {
      closed = true;
      waiting = [];
      drop();
    },
  };
}

function isOpusSampleRate(sampleRate: number): sampleRate is OpusSampleRate {
  return (opusSampleRates as readonly number[]).includes(sampleRate);
}

function isSilent(samples: Int16Array): boolean {
  for (const sample of samples) if (sample !== 0) return false;
  return true;
}

import { AsyncLocalStorage } from "node:async_hooks";
import type { AudioFrame } from "@pipecat-ts/audio";
import type { Pacer } from "@pipecat-ts/runner-media";
import type { AudioPacket } from "../peer/peer.ts";
import { createJitterBuffer, type JitterBufferCounters, type Missing, slackMs } from "./jitter-buffer.ts";
import { type Opus, type OpusDecoder, opusSampleRates } from "./opus.ts";
import { createSoundQueue } from "./sound-queue.ts";

/** The caller's voice on its way from the wire. */
export interface IncomingAudio {
  /** Takes a packet, as it comes: in any order, late, twice, or never. */
  push(packet: AudioPacket): void;
  /** Another peer takes over: its numbers have nothing to do with those before. */
  restart(): void;
  /** How long the quickest packets wait by now, in ms, and how long they should. */
  readonly delayMs: number;
  readonly targetMs: number;
  readonly counters: Readonly<IncomingAudioCounters>;
  /** Gives no more, stops the ticks, frees the decoder. Twice is once. */
  close(): void;
}

/** What came, and what was made of it. */
export interface IncomingAudioCounters extends JitterBufferCounters {
  /** Frames given. */
  frames: number;
  /** Packets that the decoder did not take. */
  refused: number;
  /** Frames left out, and frames put in, to change the delay. */
  leftOut: number;
  putIn: number;
}

/** What it is built from. */
export interface IncomingAudioOptions {
  readonly opus: Opus;
  /** What the bot wants, in Hz. Frames have the nearest rate of Opus that is not lower. */
  readonly sampleRate: number;
  readonly pacer: Pacer;
  /** Called with 20 ms of mono sound, in the asynchronous scope that `createIncomingAudio` was called in. */
  take(frame: AudioFrame): void;
  /** Told why no decoder could be made: the caller is then heard with the one before, or as silence. Called in any scope. */
  failed(error: unknown): void;
}

/** How long packets may wait too long by a frame, in frames, before one is left out even while the caller speaks. */
const patience = 50;
/** When packets wait so much too long, the next pause is not waited for. */
const urgentMs = 60;

/**
 * Decodes what comes and gives a frame every 20 ms from the first packet on, in step with this machine's clock, not the
 * caller's: silence where the caller sends nothing. Before the first packet it gives nothing.
 */
export function createIncomingAudio(options: IncomingAudioOptions): IncomingAudio {
  const { opus, pacer, take, failed } = options;
  const sampleRate = [...opusSampleRates].reverse().find((rate) => rate >= options.sampleRate) ?? opusSampleRates[0];
  const buffer = createJitterBuffer();
  const queue = createSoundQueue(sampleRate);
  const own = { frames: 0, refused: 0, leftOut: 0, putIn: 0 };
  let decoder: OpusDecoder | undefined;
  let stopTicks: (() => void) | undefined;
  let tooLongFor = 0;
  let closed = false;

  const startTicks = AsyncLocalStorage.bind(() => {
    stopTicks = pacer.every(20, tick);
  });

  function tick(dueMs: number): void {
    buffer.due(dueMs, queue.held);
    fill();
    const samples = adapt(queue.take());
    own.frames += 1;
    take({ samples, sampleRate, channels: 1 });
  }

  /** Leaves a frame out, or puts one in, where packets wait too long or not long enough: in a pause, unless it is urgent. */
  function adapt(samples: Int16Array): Int16Array {
    const { excessMs } = buffer;
    tooLongFor = excessMs >= 20 ? tooLongFor + 1 : 0;
    if (excessMs <= -slackMs && queue.quiet) {
      put(undefined, 960);
      own.putIn += 1;
    }
    const wanted = tooLongFor > 0 && (queue.quiet || tooLongFor > patience || excessMs > urgentMs);
    if (!wanted || !buffer.has(960)) return samples;
    fill();
    own.leftOut += 1;
    tooLongFor = 0;
    return crossfade(samples, queue.take());
  }

  /** Has the queue hold a frame at least. */
  function fill(): void {
    while (queue.held < 960) {
      const next = buffer.next();
      if (next.kind === "idle") queue.silence(960 - queue.held);
      else put(next.kind === "packet" ? decode(next.payload) : recover(next), next.duration);
    }
  }

  function decode(payload: Uint8Array): Int16Array | undefined {
    const samples = decoder?.decode(payload);
    if (!samples) own.refused += 1;
    return samples;
  }

  function recover({ before, duration }: Missing): Int16Array | undefined {
    return before && decoder?.recover(before, duration / 48);
  }

  function put(samples: Int16Array | undefined, duration: number): void {
    if (samples) queue.add(samples);
    else queue.guess(decoder?.conceal(duration / 48), duration);
  }

  const makeDecoder = AsyncLocalStorage.bind(async () => {
    try {
      const made = await opus.createDecoder({ sampleRate });
      if (closed) return made.free();
      decoder?.free();
      decoder = made;
    } catch (error) {
      failed(error);
    }
  });

  void makeDecoder();
  return {
    push(packet) {
      if (closed) return;
      if (buffer.push(packet, pacer.clock.now()) && !stopTicks) startTicks();
    },
    restart() {
      if (closed) return;
      buffer.restart();
      void makeDecoder();
    },
    get delayMs() {
      return buffer.delayMs;
    },
    get targetMs() {
      return buffer.targetMs;
    },
    get counters() {
      return { ...buffer.counters, ...own };
    },
    close() {
      closed = true;
      stopTicks?.();
      stopTicks = undefined;
      decoder?.free();
      decoder = undefined;
    },
  };
}

/** The second of two frames, gone over to from the first within 5 ms: so that a frame less is played, and no click heard. */
function crossfade(from: Int16Array, to: Int16Array): Int16Array {
  const length = to.length / 4;
  return to.map((sample, index) => {
    const before = index < length ? (from[index] as number) : sample;
    return sample + (before - sample) * (1 - (index + 0.5) / length);
  });
}

import { AsyncLocalStorage } from "node:async_hooks";
import type { AudioFrame } from "@pipecat-ts/audio";
import type { Pacer } from "@pipecat-ts/runner-core";
import type { AudioPacket } from "../peer/peer.ts";
import { createJitterBuffer, type JitterBufferCounters, type Missing, slackMs } from "./jitter-buffer.ts";
import { type Opus, type OpusDecoder, opusSampleRates } from "./opus.ts";
import { createPcmBuffer } from "./pcm-buffer.ts";

/** Turns the caller's RTP packets into audio frames. */
export interface IncomingAudio {
  /** Takes a packet as it arrives: packets may be lost, late, reordered or duplicated. */
  push(packet: AudioPacket): void;
  /** Another peer replaces the one before, with unrelated sequence numbers and timestamps. */
  restart(): void;
  /** How long the fastest packets wait now, in ms. */
  readonly delayMs: number;
  /** How long they should wait, in ms. */
  readonly targetMs: number;
  readonly counters: Readonly<IncomingAudioCounters>;
  /** Stops, and frees the decoder. May be called more than once. */
  close(): void;
}

export interface IncomingAudioCounters extends JitterBufferCounters {
  /** Frames returned. */
  frames: number;
  /** Packets that the decoder rejected. */
  undecodable: number;
  /** Frames skipped to reduce the delay. */
  accelerated: number;
  /** Frames inserted to increase the delay. */
  expanded: number;
}

export interface IncomingAudioOptions {
  readonly opus: Opus;
  /** The sample rate that the bot wants, in Hz. Frames have this rate or the next higher one of Opus. */
  readonly sampleRate: number;
  readonly pacer: Pacer;
  /** Receives 20 ms of mono audio, in the asynchronous scope of `createIncomingAudio`. */
  onFrame(frame: AudioFrame): void;
  /** No decoder could be created: audio is then decoded with the decoder before, or is silence. Called in any scope. */
  onDecoderFailed(error: unknown): void;
}

/** The number of frames for which packets may wait too long before a frame is skipped while the caller speaks. */
const accelerateAfter = 50;
/** When packets wait this much longer than the target delay, acceleration does not wait for a pause. */
const urgentMs = 60;

/**
 * Decodes packets and returns a frame every 20 ms from the first packet on, timed by this machine's clock instead of the
 * caller's. Returns silence while the caller sends nothing, and no frames before the first packet.
 */
export function createIncomingAudio(options: IncomingAudioOptions): IncomingAudio {
  const { opus, pacer, onFrame, onDecoderFailed } = options;
  const sampleRate = [...opusSampleRates].reverse().find((rate) => rate >= options.sampleRate) ?? opusSampleRates[0];
  const jitterBuffer = createJitterBuffer();
  const decoded = createPcmBuffer(sampleRate);
  const own = { frames: 0, undecodable: 0, accelerated: 0, expanded: 0 };
  let decoder: OpusDecoder | undefined;
  let stopTicks: (() => void) | undefined;
  let excessFrames = 0;
  let closed = false;

  const startTicks = AsyncLocalStorage.bind(() => {
    stopTicks = pacer.every(20, tick);
  });

  function tick(dueMs: number): void {
    jitterBuffer.due(dueMs, decoded.length);
    fill();
    const samples = adaptDelay(decoded.shift());
    own.frames += 1;
    onFrame({ samples, sampleRate, channels: 1 });
  }

  /** Skips or inserts a frame when packets wait too long or not long enough: in a pause, unless it is urgent. */
  function adaptDelay(samples: Int16Array): Int16Array {
    const { excessMs } = jitterBuffer;
    excessFrames = excessMs >= 20 ? excessFrames + 1 : 0;
    if (excessMs <= -slackMs && decoded.isPause) {
      append(undefined, 960);
      own.expanded += 1;
    }
    const accelerate = excessFrames > 0 && (decoded.isPause || excessFrames > accelerateAfter || excessMs > urgentMs);
    if (!accelerate || !jitterBuffer.has(960)) return samples;
    fill();
    own.accelerated += 1;
    excessFrames = 0;
    return crossfade(samples, decoded.shift());
  }

  /** Decodes until a frame is available. */
  function fill(): void {
    while (decoded.length < 960) {
      const next = jitterBuffer.next();
      if (next.kind === "idle") decoded.pushSilence(960 - decoded.length);
      else append(next.kind === "packet" ? decode(next.payload) : recover(next), next.duration);
    }
  }

  function decode(payload: Uint8Array): Int16Array | undefined {
    const samples = decoder?.decode(payload);
    if (!samples) own.undecodable += 1;
    return samples;
  }

  function recover({ fecPacket, duration }: Missing): Int16Array | undefined {
    return fecPacket && decoder?.decodeFec(fecPacket, duration / 48);
  }

  /** Appends audio, or conceals its absence. */
  function append(samples: Int16Array | undefined, duration: number): void {
    if (samples) decoded.push(samples);
    else decoded.pushConcealed(decoder?.conceal(duration / 48), duration);
  }

  const createDecoder = AsyncLocalStorage.bind(async () => {
    try {
      const created = await opus.createDecoder({ sampleRate });
      if (closed) return created.free();
      decoder?.free();
      decoder = created;
    } catch (error) {
      onDecoderFailed(error);
    }
  });

  void createDecoder();
  return {
    push(packet) {
      if (closed) return;
      if (jitterBuffer.push(packet, pacer.clock.now()) && !stopTicks) startTicks();
    },
    restart() {
      if (closed) return;
      jitterBuffer.restart();
      void createDecoder();
    },
    get delayMs() {
      return jitterBuffer.delayMs;
    },
    get targetMs() {
      return jitterBuffer.targetMs;
    },
    get counters() {
      return { ...jitterBuffer.counters, ...own };
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

/** Fades from one frame to the next one within 5 ms, to skip a frame without a click. */
function crossfade(from: Int16Array, to: Int16Array): Int16Array {
  const length = to.length / 4;
  return to.map((sample, index) => {
    const before = index < length ? (from[index] as number) : sample;
    return sample + (before - sample) * (1 - (index + 0.5) / length);
  });
}

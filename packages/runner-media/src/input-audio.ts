import { type AudioFrame, createChunker, createResampler, mixToMono, type Resampler } from "@pipecat-ts/audio";
import { type CallInput, type Clock, createRateLimit } from "@pipecat-ts/runner-core";
import type { DropCounters } from "./counters.ts";
import { frameFault } from "./frame-check.ts";

/** Frames of 20 ms that are buffered for a reader: 500 ms. */
const bufferedFrames = 25;
/** Changes of the sample rate. Each may create a resampler kernel, which takes up to 3 ms. */
const rateChanges = { perSecond: 2, burst: 1 };

/**
 * Converts the caller's audio to mono frames of exactly 20 ms at `sampleRate`, a multiple of 50 Hz.
 *
 * A reader that falls behind loses the oldest frames, which count as `inputDropped`. Until it has read 500 ms they count as
 * `inputUnread`: a bot that greets first, or that never uses `input`, loses nothing that it wanted. A pipe reads a few frames
 * before the bot wants them.
 *
 * The sample rate may change once per 500 ms. Until then, frames at another rate are dropped and count as
 * `inputRateDropped`. The number of channels may change with every frame: mixing holds no state.
 */
export function createInputAudio(sampleRate: number, drops: DropCounters, clock: Clock): CallInput {
  const frameSamples = sampleRate / 50;
  const chunker = createChunker(frameSamples);
  const readers = new Set<FrameReader>();
  const rateLimit = createRateLimit(rateChanges, clock.now);
  /** The sample rate of the caller; `undefined` before the first frame. */
  let fromRate: number | undefined;
  let resampler: Resampler | undefined;
  let ended = false;

  function deliver(frame: AudioFrame): void {
    drops.counters.inputFrames += 1;
    for (const reader of readers) {
      const dropped = reader.push(frame);
      if (dropped === "late") drops.add("inputDropped", "input audio dropped: more than 500 ms are unread");
      else if (dropped === "unread") drops.counters.inputUnread += 1;
    }
  }

  function chunk(samples: Int16Array): void {
    for (const chunked of chunker.push(samples)) deliver({ samples: chunked, sampleRate, channels: 1 });
  }

  function changeRate(rate: number): void {
    if (resampler) chunk(resampler.flush());
    fromRate = rate;
    resampler = rate === sampleRate ? undefined : createResampler({ fromRate: rate, toRate: sampleRate });
  }

  return {
    push(frame) {
      if (ended) return;
      const fault = frameFault(frame);
      if (fault !== undefined) return drops.add("inputInvalid", `input frame skipped: ${fault}`);
      if (frame.samples.length === 0) return;
      if (frame.sampleRate !== fromRate) {
        if (fromRate !== undefined && !rateLimit.take())
          return drops.add("inputRateDropped", "input frame dropped: the sample rate changed twice within 500 ms");
        changeRate(frame.sampleRate);
      }
      const mono = mixToMono(newest(frame, drops));
      if (resampler) chunk(resampler.process(mono.samples));
      else if (mono.samples.length === frameSamples && chunker.pending === 0) deliver(mono);
      else chunk(mono.samples);
    },
    listen() {
      const reader = createFrameReader(() => readers.delete(reader));
      if (ended) reader.end();
      else readers.add(reader);
      return reader.stream;
    },
    end() {
      ended = true;
      for (const reader of readers) reader.end();
      readers.clear();
    },
  };
}

/** The last 500 ms of a frame. Readers cannot start in the middle of a frame, so the rest would be dropped unread. */
function newest(frame: AudioFrame, drops: DropCounters): AudioFrame {
  const { samples, sampleRate, channels } = frame;
  const newestSamples = Math.ceil((sampleRate * bufferedFrames) / 50) * channels;
  if (samples.length <= newestSamples) return frame;
  const dropped = Math.ceil(((samples.length - newestSamples) / channels / sampleRate) * 50);
  drops.add("inputDropped", "input audio dropped: the caller sent more than 500 ms at once", dropped);
  return { ...frame, samples: samples.subarray(-newestSamples) };
}

/** One reader of the caller's audio: a stream with its own queue, which drops the oldest frame when full. */
interface FrameReader {
  readonly stream: ReadableStream<AudioFrame>;
  /**
   * Enqueues a frame. Returns whether an older frame was dropped for it: `late` if the reader fell behind, `unread` if it has
   * not read 500 ms yet.
   */
  push(frame: AudioFrame): "late" | "unread" | undefined;
  /** Closes the stream when its queue has been read. */
  end(): void;
}

function createFrameReader(onCancel: () => void): FrameReader {
  let queue: AudioFrame[] = [];
  /** Frames that were read. */
  let reads = 0;
  let wanted = false;
  let ended = false;
  let controller: ReadableStreamDefaultController<AudioFrame>;

  const stream = new ReadableStream<AudioFrame>(
    {
      start(opened) {
        controller = opened;
      },
      pull() {
        reads += 1;
        const next = queue.shift();
        if (next) controller.enqueue(next);
        else if (ended) controller.close();
        else wanted = true;
      },
      cancel() {
        queue = [];
        ended = true;
        onCancel();
      },
    },
    // The stream itself buffers nothing: the oldest frame could not be taken out of it.
    { highWaterMark: 0 },
  );

  return {
    stream,
    push(frame) {
      if (ended) return undefined;
      if (wanted) {
        wanted = false;
        controller.enqueue(frame);
        return undefined;
      }
      queue.push(frame);
      if (queue.length <= bufferedFrames) return undefined;
      queue.shift();
      return reads > bufferedFrames ? "late" : "unread";
    },
    end() {
      if (ended) return;
      ended = true;
      if (queue.length === 0) controller.close();
    },
  };
}

import { type AudioFrame, createChunker, createResampler, mixToMono, type Resampler } from "@pipecat-ts/audio";
import { type CallInput, type Clock, createRateLimit } from "@pipecat-ts/runner-core";
import type { DropCounters } from "./counters.ts";
import { frameFault } from "./frame-check.ts";
import { bufferedFrames, createFrameReader, type FrameReader } from "./frame-reader.ts";

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

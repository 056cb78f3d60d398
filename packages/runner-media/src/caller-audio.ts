import { type AudioFrame, createChunker, createResampler, mixToMono, type Resampler } from "@pipecat-ts/audio";
import { frameFault } from "./frame-fault.ts";
import { createFrameReader, type FrameReader, readerFrames } from "./frame-reader.ts";
import type { Losses } from "./losses.ts";

/** The caller's voice on its way to whoever reads it. */
export interface CallerAudio {
  /** Takes audio from the wire: any rate, any length, mono or not. */
  take(frame: AudioFrame): void;
  /** A further reader, who hears what comes from now on. */
  read(): ReadableStream<AudioFrame>;
  /** No more comes: every reader's stream closes when what waits in it was read. */
  end(): void;
}

/** Makes of the caller's audio mono frames of exactly 20 ms at `sampleRate`, a multiple of 50 Hz. */
export function createCallerAudio(sampleRate: number, losses: Losses): CallerAudio {
  const frameSamples = sampleRate / 50;
  const chunker = createChunker(frameSamples);
  const readers = new Set<FrameReader>();
  let fromRate = sampleRate;
  let resampler: Resampler | undefined;
  let ended = false;

  function give(frame: AudioFrame): void {
    losses.counters.inputFrames += 1;
    for (const reader of readers) {
      if (!reader.give(frame)) losses.add("inputDropped", "The caller's audio is not read: 500 ms of it are kept.");
    }
  }

  function cut(samples: Int16Array): void {
    for (const chunk of chunker.push(samples)) give({ samples: chunk, sampleRate, channels: 1 });
  }

  function retune(rate: number): void {
    if (resampler) cut(resampler.flush());
    fromRate = rate;
    resampler = rate === sampleRate ? undefined : createResampler({ fromRate: rate, toRate: sampleRate });
  }

  return {
    take(frame) {
      if (ended) return;
      const fault = frameFault(frame);
      if (fault !== undefined) return losses.add("inputInvalid", `The caller's audio was skipped: ${fault}.`);
      if (frame.samples.length === 0) return;
      const mono = mixToMono(newest(frame, losses));
      if (mono.sampleRate !== fromRate) retune(mono.sampleRate);
      if (resampler) cut(resampler.process(mono.samples));
      else if (mono.samples.length === frameSamples && chunker.pending === 0) give(mono);
      else cut(mono.samples);
    },
    read() {
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

/** What can be kept of a frame: its last 500 ms. Nobody can read in the middle of it, so the rest need not be worked on. */
function newest(frame: AudioFrame, losses: Losses): AudioFrame {
  const { samples, sampleRate, channels } = frame;
  const kept = Math.ceil((sampleRate * readerFrames) / 50) * channels;
  if (samples.length <= kept) return frame;
  const lost = Math.ceil(((samples.length - kept) / channels / sampleRate) * 50);
  losses.add("inputDropped", "The caller sent more than 500 ms of audio at once: the last of it is kept.", lost);
  return { ...frame, samples: samples.subarray(-kept) };
}

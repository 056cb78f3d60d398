import type { AudioFrame } from "./frame.ts";
import { createResampler, type Resampler } from "./resampler.ts";

/** Mixes the audio of several sources. */
export interface Mixer {
  /** Takes mono audio of one source, at any rate. */
  push(source: string, frame: AudioFrame): void;
}

interface Source {
  fromRate: number;
  resampler: Resampler | undefined;
  /** Audio that waits for the other sources. */
  queue: Int16Array[];
  samples: number;
}

/** A source that is this far behind the others is silent: they stop waiting for it. */
const silentAfterMs = 60;

/**
 * Adds up simultaneous audio, and passes on the audio of a single source immediately. `mixed` receives mono audio at `mixRate` Hz.
 * Has no timer: the audio of one source drives the queues of the others.
 */
export function createMixer(mixRate: number, mixed: (frame: AudioFrame) => void): Mixer {
  const sources = new Map<string, Source>();

  function sourceOf(name: string): Source {
    const source = sources.get(name) ?? { fromRate: mixRate, resampler: undefined, queue: [], samples: 0 };
    sources.set(name, source);
    return source;
  }

  /** Returns the last samples at the rate before. */
  function changeRate(source: Source, fromRate: number): Int16Array {
    const last = source.resampler?.flush() ?? new Int16Array(0);
    source.fromRate = fromRate;
    source.resampler = fromRate === mixRate ? undefined : createResampler({ fromRate, toRate: mixRate });
    return last;
  }

  /** Moves the first samples of a queue into `sum`. */
  function addTo(sum: Int32Array, source: Source): void {
    source.samples -= sum.length;
    for (let at = 0; at < sum.length; ) {
      const chunk = source.queue.shift();
      if (!chunk) return;
      const part = chunk.subarray(0, sum.length - at);
      for (let index = 0; index < part.length; index++) sum[at + index] = (sum[at + index] ?? 0) + (part[index] ?? 0);
      at += part.length;
      if (part.length < chunk.length) source.queue.unshift(chunk.subarray(part.length));
    }
  }

  function mix(length: number): void {
    const sum = new Int32Array(length);
    for (const source of sources.values()) addTo(sum, source);
    emit(Int16Array.from(sum, (sample) => Math.max(-32_768, Math.min(32_767, sample))));
  }

  function emit(samples: Int16Array): void {
    mixed({ samples, sampleRate: mixRate, channels: 1 });
  }

  function add(source: Source, samples: Int16Array): void {
    if (samples.length === 0) return;
    if (sources.size === 1 && source.samples === 0) {
      emit(samples);
      return;
    }
    source.queue.push(samples);
    source.samples += samples.length;
    if ((source.samples / mixRate) * 1000 > silentAfterMs) {
      for (const [other, { samples: queued }] of sources) if (queued === 0) sources.delete(other);
    }
    const ready = Math.min(...[...sources.values()].map((each) => each.samples));
    if (ready > 0) mix(ready);
  }

  return {
    push(name, frame) {
      const source = sourceOf(name);
      if (source.fromRate !== frame.sampleRate) add(source, changeRate(source, frame.sampleRate));
      add(source, source.resampler?.process(frame.samples) ?? frame.samples);
    },
  };
}

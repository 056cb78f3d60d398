import { type AudioFrame, createResampler, type Resampler } from "@pipecat-ts/audio";

/** Makes one voice of all that is said in a room. */
export interface Mixer {
  /** Takes mono audio of one source, of any rate. */
  take(source: string, frame: AudioFrame): void;
}

/** Audio of one source that waits for that of the others. */
interface Line {
  readonly fromRate: number;
  readonly resampler: Resampler | undefined;
  queue: Int16Array[];
  samples: number;
}

/** The rate of the mix in Hz: that of WebRTC's decoders, so that nothing need be resampled. */
export const mixRate = 48_000;
/** A source that is this far behind the others has fallen silent: they wait for it no longer. */
const patienceMs = 60;

/**
 * Adds up what sources say at the same time, and passes on at once what only one says. Runs no timer: what comes of one
 * source drives what waits of the others.
 */
export function createMixer(mixed: (frame: AudioFrame) => void): Mixer {
  const lines = new Map<string, Line>();

  function lineOf(source: string, fromRate: number): Line {
    const known = lines.get(source);
    if (known?.fromRate === fromRate) return known;
    const resampler = fromRate === mixRate ? undefined : createResampler({ fromRate, toRate: mixRate });
    const line: Line = { fromRate, resampler, queue: [], samples: 0 };
    lines.set(source, line);
    return line;
  }

  /** Adds the first samples of a line to `sum`. */
  function draw(line: Line, sum: Int32Array): void {
    line.samples -= sum.length;
    for (let at = 0; at < sum.length; ) {
      const chunk = line.queue.shift();
      if (!chunk) return;
      const taken = chunk.subarray(0, sum.length - at);
      for (let index = 0; index < taken.length; index++) sum[at + index] = (sum[at + index] ?? 0) + (taken[index] ?? 0);
      at += taken.length;
      if (taken.length < chunk.length) line.queue.unshift(chunk.subarray(taken.length));
    }
  }

  function mix(length: number): void {
    const sum = new Int32Array(length);
    for (const line of lines.values()) draw(line, sum);
    give(Int16Array.from(sum, (sample) => Math.max(-32_768, Math.min(32_767, sample))));
  }

  function give(samples: Int16Array): void {
    mixed({ samples, sampleRate: mixRate, channels: 1 });
  }

  return {
    take(source, frame) {
      const line = lineOf(source, frame.sampleRate);
      const samples = line.resampler?.process(frame.samples) ?? frame.samples;
      if (samples.length === 0) return;
      if (lines.size === 1 && line.samples === 0) return give(samples);
      line.queue.push(samples);
      line.samples += samples.length;
      if ((line.samples / mixRate) * 1000 > patienceMs) {
        for (const [name, other] of lines) if (other.samples === 0) lines.delete(name);
      }
      const ready = Math.min(...[...lines.values()].map((each) => each.samples));
      if (ready > 0) mix(ready);
    },
  };
}

import { type AudioFrame, createResampler, type Resampler } from "@pipecat-ts/audio";
import type { CallInput } from "@pipecat-ts/runner-core";

/** The audio of a room: all callers mixed, and each participant separately. */
export interface RoomAudio {
  /** Takes mono audio of one track. Without `mix` only `listenTo` receives it. */
  push(participantId: string, track: string, frame: AudioFrame, mix: boolean): void;
  /** The microphone of one participant. `createInput` creates its queue, once per participant. */
  listenTo(participantId: string, createInput: () => CallInput): ReadableStream<AudioFrame>;
  /** The participant left: closes the readers of its audio. */
  left(participantId: string): void;
  /** The call ended: closes all readers, also future ones. */
  end(): void;
}

/** `mixed` receives the mix. */
export function createRoomAudio(mixed: (frame: AudioFrame) => void): RoomAudio {
  const mixer = createMixer(mixed);
  const inputs = new Map<string, CallInput>();
  let ended = false;

  return {
    push(participantId, track, frame, mix) {
      if (mix) mixer.push(`${participantId} ${track}`, frame);
      if (track === "audio") inputs.get(participantId)?.push(frame);
    },
    listenTo(participantId, createInput) {
      const input = inputs.get(participantId) ?? createInput();
      inputs.set(participantId, input);
      const stream = input.listen();
      if (ended) input.end();
      return stream;
    },
    left(participantId) {
      inputs.get(participantId)?.end();
      inputs.delete(participantId);
    },
    end() {
      ended = true;
      for (const input of inputs.values()) input.end();
    },
  };
}

/** Mixes the audio of several sources. */
export interface Mixer {
  /** Takes mono audio of one source, at any rate. */
  push(source: string, frame: AudioFrame): void;
}

interface Source {
  readonly fromRate: number;
  readonly resampler: Resampler | undefined;
  /** Audio that waits for the other sources. */
  queue: Int16Array[];
  samples: number;
}

/** The sample rate of the mix in Hz: that of WebRTC decoders, so that browsers' audio is not resampled. */
export const mixRate = 48_000;
/** A source that is this far behind the others is silent: they stop waiting for it. */
const silentAfterMs = 60;

/**
 * Adds up simultaneous audio, and passes on the audio of a single source immediately. Has no timer: the audio of one source
 * drives the queues of the others.
 */
export function createMixer(mixed: (frame: AudioFrame) => void): Mixer {
  const sources = new Map<string, Source>();

  function sourceOf(name: string, fromRate: number): Source {
    const known = sources.get(name);
    if (known?.fromRate === fromRate) return known;
    const resampler = fromRate === mixRate ? undefined : createResampler({ fromRate, toRate: mixRate });
    const source: Source = { fromRate, resampler, queue: [], samples: 0 };
    sources.set(name, source);
    return source;
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

  return {
    push(name, frame) {
      const source = sourceOf(name, frame.sampleRate);
      const samples = source.resampler?.process(frame.samples) ?? frame.samples;
      if (samples.length === 0) return;
      if (sources.size === 1 && source.samples === 0) return emit(samples);
      source.queue.push(samples);
      source.samples += samples.length;
      if ((source.samples / mixRate) * 1000 > silentAfterMs) {
        for (const [other, { samples: queued }] of sources) if (queued === 0) sources.delete(other);
      }
      const ready = Math.min(...[...sources.values()].map((each) => each.samples));
      if (ready > 0) mix(ready);
    },
  };
}

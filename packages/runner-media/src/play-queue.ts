import {
  type AudioFrame,
  type Chunker,
  createChunker,
  createResampler,
  durationMs,
  mixToMono,
  type Resampler,
} from "@pipecat-ts/audio";

/** How much of the bot's voice waits to be sent before whoever writes more is held up. */
export const playAheadMs = 200;

/**
 * The bot's voice that waits to be sent, made into frames of the wire only when one is due: so that an interruption has
 * nothing but this to forget, and a frame of ten minutes costs no more at a time than one of 20 ms.
 *
 * Positions are milliseconds of what was ever pushed, and never go back.
 */
export interface PlayQueue {
  /** Takes a frame of any rate, mono or not, that `frameFault` finds in order. Holds it by reference. */
  push(frame: AudioFrame): void;
  /**
   * The next frame of the wire: mono, at one of its rates, exactly `frameMs` long; `undefined` when not enough waits. With
   * `pad` what waits is filled up with silence, and `undefined` says that nothing does.
   */
  next(pad: boolean): AudioFrame | undefined;
  /** Forgets what waits, the half of a frame and the resampler's tail included. */
  clear(): void;
  /** `undefined` while no more than 200 ms wait, else what resolves when it is so again. */
  room(): Promise<void> | undefined;
  /** The position where all that was pushed ends. */
  readonly endMs: number;
  /** The position up to which it was made into frames. */
  readonly takenMs: number;
  /** Whether `next(true)` would return nothing. */
  readonly empty: boolean;
}

/** A queue for a wire that takes `sampleRates`, in Hz and the preferred one first, in frames of `frameMs`. */
export function createPlayQueue(sampleRates: readonly [number, ...number[]], frameMs: number): PlayQueue {
  let waiting: AudioFrame[] = [];
  /** How many samples of each channel of the first that waits are taken. */
  let offset = 0;
  let endMs = 0;
  let takenMs = 0;
  let fromRate = 0;
  let toRate = sampleRates[0];
  let resampler: Resampler | undefined;
  /** Whether the resampler holds a tail. */
  let tail = false;
  let chunker: Chunker = createChunker(samplesIn(toRate));
  let ready: AudioFrame[] = [];
  let gate: PromiseWithResolvers<void> | undefined;

  function samplesIn(sampleRate: number): number {
    return Math.round((sampleRate * frameMs) / 1000);
  }

  function emit(samples: Int16Array): void {
    ready.push({ samples, sampleRate: toRate, channels: 1 });
  }

  function cut(samples: Int16Array): void {
    for (const chunk of chunker.push(samples)) emit(chunk);
  }

  function flushTail(): void {
    if (resampler && tail) cut(resampler.flush());
    tail = false;
  }

  function flushAll(): void {
    flushTail();
    const last = chunker.flush(true);
    if (last) emit(last);
  }

  /** Goes over to audio of another rate. Only where the wire's rate changes with it, a frame is padded for that. */
  function retune(rate: number): void {
    const wireRate = sampleRates.includes(rate) ? rate : sampleRates[0];
    if (wireRate === toRate) flushTail();
    else {
      flushAll();
      toRate = wireRate;
      chunker = createChunker(samplesIn(toRate));
    }
    fromRate = rate;
    resampler = rate === toRate ? undefined : createResampler({ fromRate: rate, toRate });
  }

  /** Takes from the first that waits what the frame under way lacks. */
  function feed(head: AudioFrame): void {
    const { samples, sampleRate, channels } = head;
    const missing = samplesIn(toRate) - chunker.pending;
    const count = Math.min(Math.ceil((missing * sampleRate) / toRate), samples.length / channels - offset);
    const begin = offset * channels;
    const end = begin + count * channels;
    offset += count;
    takenMs += (count / sampleRate) * 1000;
    if (end === samples.length) {
      waiting.shift();
      offset = 0;
    }
    const whole = begin === 0 && end === samples.length;
    const piece = mixToMono(whole ? head : { samples: samples.subarray(begin, end), sampleRate, channels });
    if (resampler) {
      tail = true;
      cut(resampler.process(piece.samples));
    } else if (whole && chunker.pending === 0 && count === samplesIn(toRate)) ready.push(piece);
    else cut(piece.samples);
  }

  function open(): void {
    if (!gate || endMs - takenMs > playAheadMs) return;
    gate.resolve();
    gate = undefined;
  }

  return {
    push(frame) {
      if (frame.samples.length === 0) return;
      waiting.push(frame);
      endMs += durationMs(frame);
    },
    next(pad) {
      while (ready.length === 0 && waiting.length > 0) {
        const head = waiting[0] as AudioFrame;
        if (head.sampleRate !== fromRate) retune(head.sampleRate);
        if (ready.length === 0) feed(head);
      }
      if (ready.length === 0 && pad) flushAll();
      open();
      return ready.shift();
    },
    clear() {
      waiting = [];
      ready = [];
      offset = 0;
      takenMs = endMs;
      resampler?.reset();
      tail = false;
      chunker.reset();
      open();
    },
    room() {
      if (endMs - takenMs <= playAheadMs) return undefined;
      gate ??= Promise.withResolvers<void>();
      return gate.promise;
    },
    get endMs() {
      return endMs;
    },
    get takenMs() {
      return takenMs;
    },
    get empty() {
      return waiting.length === 0 && ready.length === 0 && !tail && chunker.pending === 0;
    },
  };
}

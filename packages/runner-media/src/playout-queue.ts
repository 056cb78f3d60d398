import {
  type AudioFrame,
  type Chunker,
  createChunker,
  createResampler,
  durationMs,
  mixToMono,
  type Resampler,
} from "@pipecat-ts/audio";

/** Queued audio in ms above which `write()` waits. */
const maxQueuedMs = 200;

/**
 * The queue of the bot's audio. It converts audio to wire frames only when one is due, so that an interruption only has to
 * clear this queue, and a frame of ten minutes costs no more at a time than one of 20 ms.
 *
 * The bot may change the rate with every frame: the bot is trusted, and kernels of recent rates are cached.
 *
 * Positions are milliseconds of all audio that was ever pushed, and never go back.
 */
export interface PlayoutQueue {
  /** Enqueues a valid frame of any rate and number of channels, by reference. */
  push(frame: AudioFrame): void;
  /**
   * The next wire frame: mono, at one of the wire's rates, exactly `frameMs` long; `undefined` when too little is queued.
   *
   * - "full": nothing but audio.
   * - "padded": silence fills up a frame. The last few ms stay in the resampler, which needs the audio after them.
   * - "last": no audio follows. Silence fills up the last frame, and `undefined` means that the queue is empty.
   */
  next(kind: "full" | "padded" | "last"): AudioFrame | undefined;
  /** Empties the queue, a partial frame and the resampler's tail included. */
  clear(): void;
  /** `undefined` while no more than 200 ms are queued, else a promise for that. */
  room(): Promise<void> | undefined;
  /** The position at the end of all pushed audio. */
  readonly endMs: number;
  /** The position up to which audio was converted to wire frames. */
  readonly takenMs: number;
  /** Whether `next("last")` would return `undefined`. */
  readonly empty: boolean;
}

/** A queue for a wire that takes `sampleRates` in Hz, the preferred one first, in frames of `frameMs`. */
export function createPlayoutQueue(sampleRates: readonly [number, ...number[]], frameMs: number): PlayoutQueue {
  let queued: AudioFrame[] = [];
  /** Samples per channel that were taken from the first queued frame. */
  let offset = 0;
  let endMs = 0;
  let takenMs = 0;
  let fromRate = 0;
  let toRate = sampleRates[0];
  let resampler: Resampler | undefined;
  /** Whether the resampler has a tail. */
  let tail = false;
  /** Audio in the resampler, in ms. */
  let heldMs = 0;
  let chunker: Chunker = createChunker(samplesIn(toRate));
  let ready: AudioFrame[] = [];
  let roomAgain: PromiseWithResolvers<void> | undefined;

  function samplesIn(sampleRate: number): number {
    return Math.round((sampleRate * frameMs) / 1000);
  }

  function emit(samples: Int16Array): void {
    ready.push({ samples, sampleRate: toRate, channels: 1 });
  }

  function chunk(samples: Int16Array): void {
    for (const chunked of chunker.push(samples)) emit(chunked);
  }

  function flushTail(): void {
    if (resampler && tail) chunk(resampler.flush());
    tail = false;
    heldMs = 0;
  }

  function padChunk(): void {
    const padded = chunker.flush(true);
    if (padded) emit(padded);
  }

  /** Switches to audio of another rate. Pads a frame only when the rate of the wire changes too. */
  function changeRate(rate: number): void {
    const wireRate = sampleRates.includes(rate) ? rate : sampleRates[0];
    if (wireRate === toRate) flushTail();
    else {
      flushTail();
      padChunk();
      toRate = wireRate;
      chunker = createChunker(samplesIn(toRate));
    }
    fromRate = rate;
    resampler = rate === toRate ? undefined : createResampler({ fromRate: rate, toRate });
  }

  /** Takes as much of the first queued frame as the partial wire frame lacks. */
  function feed(head: AudioFrame): void {
    const { samples, sampleRate, channels } = head;
    const missing = samplesIn(toRate) - chunker.pending;
    const count = Math.min(Math.ceil((missing * sampleRate) / toRate), samples.length / channels - offset);
    const begin = offset * channels;
    const end = begin + count * channels;
    offset += count;
    takenMs += (count / sampleRate) * 1000;
    if (end === samples.length) {
      queued.shift();
      offset = 0;
    }
    const whole = begin === 0 && end === samples.length;
    const piece = mixToMono(whole ? head : { samples: samples.subarray(begin, end), sampleRate, channels });
    if (resampler) {
      tail = true;
      const resampled = resampler.process(piece.samples);
      heldMs += (count / sampleRate - resampled.length / toRate) * 1000;
      chunk(resampled);
    } else if (whole && chunker.pending === 0 && count === samplesIn(toRate)) ready.push(piece);
    else chunk(piece.samples);
  }

  function signalRoom(): void {
    if (!roomAgain || endMs - takenMs > maxQueuedMs) return;
    roomAgain.resolve();
    roomAgain = undefined;
  }

  return {
    push(frame) {
      if (frame.samples.length === 0) return;
      queued.push(frame);
      endMs += durationMs(frame);
    },
    next(kind) {
      while (ready.length === 0 && queued.length > 0) {
        const head = queued[0] as AudioFrame;
        if (head.sampleRate !== fromRate) changeRate(head.sampleRate);
        if (ready.length === 0) feed(head);
      }
      if (ready.length === 0 && kind === "last") flushTail();
      if (ready.length === 0 && kind !== "full") padChunk();
      signalRoom();
      return ready.shift();
    },
    clear() {
      queued = [];
      ready = [];
      offset = 0;
      takenMs = endMs;
      resampler?.reset();
      tail = false;
      heldMs = 0;
      chunker.reset();
      signalRoom();
    },
    room() {
      if (endMs - takenMs <= maxQueuedMs) return undefined;
      roomAgain ??= Promise.withResolvers<void>();
      return roomAgain.promise;
    },
    get endMs() {
      return endMs;
    },
    get takenMs() {
      return takenMs - heldMs;
    },
    get empty() {
      return queued.length === 0 && ready.length === 0 && !tail && chunker.pending === 0;
    },
  };
}

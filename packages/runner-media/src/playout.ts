import type { AudioFrame } from "@pipecat-ts/audio";
import type { Interruption, MediaPort, Pacer } from "@pipecat-ts/runner-core";
import type { DropCounters } from "./counters.ts";
import { createLosses } from "./losses.ts";
import { createPlayhead } from "./playhead.ts";
import { createPlayoutQueue, type PlayoutQueue } from "./playout-queue.ts";

/** Sends the bot's audio in real time and tracks what was played. Positions are those of the playout queue. */
export interface Playout {
  readonly queue: Pick<PlayoutQueue, "endMs" | "room">;
  /** Enqueues a valid frame. */
  enqueue(frame: AudioFrame): void;
  /** The wire is up: starts to send. */
  connected(): void;
  /** The far end reports a mark. */
  reportPlayed(mark: string): void;
  /** Drops everything enqueued so far, also at the far end. `playedMs` is that of the current utterance. */
  interrupt(): Interruption;
  /** Resolves when the audio up to the position was played or dropped. */
  played(positionMs: number): Promise<void>;
  /** The position that was played, never beyond what was sent. */
  readonly playedMs: number;
  /** How much of the audio between two positions was played, without what the wire did not take. */
  heardMs(fromMs: number, toMs: number): number;
  /** When the far end has played the last audio that was sent. */
  readonly quietAtMs: number;
  /** The call is over: sends nothing more. */
  stop(): void;
}

export interface PlayoutOptions {
  readonly port: MediaPort;
  readonly pacer: Pacer;
  readonly drops: DropCounters;
  started(): void;
  stopped(): void;
  /** A frame of the bot's audio was sent. */
  sent(frame: AudioFrame): void;
  /** The far end may have played more. */
  advanced(): void;
  failed(error: Error): void;
}

interface Waiter {
  readonly positionMs: number;
  readonly resolve: () => void;
}

/** What live audio needs in reserve, in ms: for jitter of ±10 ms and the resampler's delay of 4 to 8 ms. */
const jitterReserveMs = 25;
/** The same where the far end buffers audio: also for late timers, which it would notice first. */
const aheadReserveMs = 40;
/** Live audio in pieces of 20 ms with ±10 ms of jitter never pauses for longer than this. */
const maxPieceGapMs = 45;
/** A gap of up to this length belongs to the utterance; after it, the bot has stopped speaking. */
const maxGapMs = 200;
const maxBufferedBytes = 1024 * 1024;
/** Times and positions are sums of fractions: a smaller difference is none. */
const epsilonMs = 0.01;

/**
 * An utterance starts when two frames and 20 ms are queued, or some time after its first audio: a bot that writes ahead does not
 * wait, and one that speaks live gets a reserve for jitter. Without it, the first late piece would leave a gap, which delays all
 * audio after it just as much.
 *
 * From then on a frame is due every `frameMs`. It is padded with silence only when the far end runs dry, or has little left and
 * the bot has written nothing for as long. Late audio goes out with the next frame.
 */
export function createPlayout(options: PlayoutOptions): Playout {
  const { port, pacer, drops } = options;
  const { frameMs, sendAheadMs = 0, continuous = false, markEveryMs = 0 } = port;
  const { clock } = pacer;
  const queue = createPlayoutQueue(port.sampleRates, frameMs);
  const playhead = createPlayhead(frameMs, port.mark && { everyMs: markEveryMs });
  const losses = createLosses();
  /** How far ahead of playback the end of a frame may be. */
  const leadMs = Math.max(frameMs, sendAheadMs);
  /** Remaining lead at which a partial frame goes out: one period before the far end runs dry, where frames can be sent ahead. */
  const spareMs = Math.min(frameMs, leadMs - frameMs);
  /** Queued audio at which an utterance starts at once. */
  const startMs = 2 * frameMs + 20;
  /** Time after its first audio at which an utterance starts. */
  const startAfterMs = frameMs + (spareMs > 0 ? aheadReserveMs : jitterReserveMs);
  const silence: AudioFrame = {
    samples: new Int16Array(Math.round((port.sampleRates[0] * frameMs) / 1000)),
    sampleRate: port.sampleRates[0],
    channels: 1,
  };

  let live = false;
  let over = false;
  let stopTicks: (() => void) | undefined;
  /** Whether the current utterance has started. */
  let begun = false;
  /** On a continuous wire: whether its first audio has waited for one frame's time. */
  let waited = false;
  /** When the bot wrote last. */
  let enqueuedAtMs = 0;
  let speaking = false;
  let utteranceMs = 0;
  let waiters: Waiter[] = [];

  function startTicks(): void {
    stopTicks?.();
    stopTicks = pacer.every(frameMs, tick);
  }

  function wake(): void {
    if (!live || over || begun || queue.empty) return;
    begun = queue.endMs - queue.takenMs >= startMs;
    if (continuous) return;
    if (begun) {
      startTicks();
      tick(clock.now());
    } else {
      stopTicks ??= pacer.every(startAfterMs, (dueMs) => {
        begun = true;
        startTicks();
        tick(dueMs);
      });
    }
  }

  function tick(dueMs: number): void {
    const { sentMs } = playhead;
    let isSilent = true;
    if (!begun && !queue.empty) {
      begun = waited;
      waited = true;
    }
    if (begun) {
      while (leadAt(dueMs) + frameMs <= leadMs + epsilonMs) {
        const frame = queue.next(frameKind(dueMs));
        if (!frame) break;
        isSilent = false;
        sendFrame(frame, dueMs);
      }
      if (queue.empty && playhead.sentMs === sentMs) mark();
    }
    if (continuous && isSilent && leadAt(dueMs) <= epsilonMs) {
      const sent = put(silence);
      playhead.sentSilence(dueMs);
      if (sent instanceof Error) options.failed(sent);
    }
    settle();
  }

  function frameKind(dueMs: number): "full" | "padded" | "last" {
    const leadMs = leadAt(dueMs) - epsilonMs;
    const quietMs = dueMs - enqueuedAtMs;
    if (leadMs <= 0) return quietMs < maxPieceGapMs ? "padded" : "last";
    return leadMs <= spareMs && quietMs >= startAfterMs ? "last" : "full";
  }

  /** How long the far end can continue with what it was sent. */
  function leadAt(nowMs: number): number {
    return Math.max(0, playhead.dryAtMs - nowMs);
  }

  function sendFrame(frame: AudioFrame, dueMs: number): void {
    const fromMs = playhead.sentMs;
    const first = !speaking;
    if (first) {
      speaking = true;
      utteranceMs = fromMs;
    } else if (playhead.quietAtMs < dueMs - epsilonMs) drops.counters.outputGaps += 1;
    const sent = put(frame);
    playhead.sent(dueMs, queue.takenMs);
    if (sent === true) {
      drops.counters.outputFrames += 1;
      options.sent(frame);
    } else {
      drops.add("outputDropped", "output audio dropped: the wire does not take it");
      losses.add(fromMs, queue.takenMs);
    }
    // Listeners may interrupt.
    if (first) options.started();
    if (sent instanceof Error) options.failed(sent);
    else if (sent && (first || playhead.unmarkedMs >= markEveryMs)) mark();
  }

  /** Asks the far end to report when it has played everything since the last mark. */
  function mark(): void {
    if (port.mark && playhead.unmarkedMs > 0) attempt(() => port.mark?.(playhead.mark()));
  }

  /** Whether the wire took the frame, or what it threw. */
  function put(frame: AudioFrame): boolean | Error {
    try {
      if ((port.bufferedBytes?.() ?? 0) > maxBufferedBytes) return false;
      port.send(frame);
      return true;
    } catch (error) {
      return errorOf(error);
    }
  }

  function attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      options.failed(errorOf(error));
    }
  }

  /** Resolves waiters whose position was played, and stops the ticks at the end of an utterance. */
  function settle(): void {
    options.advanced();
    const nowMs = clock.now();
    const playedMs = playhead.playedMs(nowMs);
    if (waiters.length > 0) waiters = waiters.filter((waiter) => !answer(waiter, playedMs));
    if (!queue.empty || playedMs < playhead.sentMs || nowMs - playhead.quietAtMs < maxGapMs) return;
    endUtterance();
  }

  function answer({ positionMs, resolve }: Waiter, playedMs: number): boolean {
    if (positionMs > playedMs + epsilonMs) return false;
    resolve();
    return true;
  }

  function heardMs(fromMs: number, toMs: number): number {
    const playedMs = Math.min(playhead.playedMs(clock.now()), toMs);
    return Math.max(0, playedMs - fromMs - losses.between(fromMs, playedMs));
  }

  function endUtterance(): void {
    begun = false;
    waited = false;
    if (!continuous || over) {
      stopTicks?.();
      stopTicks = undefined;
    }
    if (!speaking) return;
    speaking = false;
    options.stopped();
  }

  function dropQueued(): void {
    queue.clear();
    for (const { resolve } of waiters) resolve();
    waiters = [];
  }

  return {
    queue,
    enqueue(frame) {
      if (over) return;
      queue.push(frame);
      enqueuedAtMs = clock.now();
      wake();
    },
    connected() {
      if (live || over) return;
      live = true;
      if (continuous) startTicks();
      wake();
    },
    reportPlayed(mark) {
      playhead.played(mark, clock.now());
      if (!over) settle();
    },
    interrupt() {
      const nowMs = clock.now();
      const playedMs = playhead.playedMs(nowMs);
      const { endMs } = queue;
      const clears = port.clear !== undefined;
      const interruption = {
        playedMs: speaking ? heardMs(utteranceMs, endMs) : 0,
        droppedMs: endMs - (clears ? playedMs : playhead.sentMs),
      };
      dropQueued();
      playhead.clear(nowMs, endMs, clears);
      if (live && !over) attempt(() => port.clear?.());
      endUtterance();
      return interruption;
    },
    played(positionMs) {
      return new Promise((resolve) => {
        const waiter = { positionMs, resolve };
        if (over) resolve();
        else if (!answer(waiter, playhead.playedMs(clock.now()))) waiters.push(waiter);
      });
    },
    get playedMs() {
      return playhead.playedMs(clock.now());
    },
    heardMs,
    get quietAtMs() {
      return playhead.quietAtMs;
    },
    stop() {
      if (over) return;
      over = true;
      dropQueued();
      playhead.clear(clock.now(), queue.endMs, true);
      endUtterance();
    },
  };
}

function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

import type { AudioFrame } from "@pipecat-ts/audio";
import type { Interruption } from "@pipecat-ts/runner-core";
import type { Losses } from "./losses.ts";
import type { Pacer } from "./pacer.ts";
import { createPlayQueue, type PlayQueue } from "./play-queue.ts";
import { createPlayhead } from "./playhead.ts";
import type { MediaPort } from "./port.ts";

/** Sends the bot's voice in real time and knows what of it was heard. Positions are the play queue's. */
export interface Speaker {
  readonly queue: Pick<PlayQueue, "endMs" | "room">;
  /** Takes a frame that `frameFault` finds in order: behind all that was said before. */
  say(frame: AudioFrame): void;
  /** The wire is up: what waited is sent. */
  connected(): void;
  /** The far end reports a mark. */
  played(mark: string): void;
  /** Says no more of what was said so far, and has the far end forget it. `playedMs` is that of the stretch under way. */
  interrupt(): Interruption;
  /** Resolves when the audio up to the position was heard, or is given up. */
  heard(positionMs: number): Promise<void>;
  /** The position heard by now, never beyond what was sent. */
  readonly heardMs: number;
  /** How much audio in ms was taken to be sent and was not; it counts in positions. */
  readonly lostMs: number;
  /** When the far end has played the last of what was sent. */
  readonly quietAtMs: number;
  /** The call is over: nothing is sent any more. */
  stop(): void;
}

/** What a speaker is built from. */
export interface SpeakerOptions {
  readonly port: MediaPort;
  readonly pacer: Pacer;
  readonly losses: Losses;
  started(): void;
  stopped(): void;
  failed(error: Error): void;
}

interface Waiter {
  readonly positionMs: number;
  readonly resolve: () => void;
}

/** A hole in the bot's voice of up to this belongs to the stretch; after it, the bot has stopped speaking. */
const pauseMs = 200;
const maxWireBytes = 1024 * 1024;
/** Times and positions are sums of fractions: what differs by less is the same. */
const sameMs = 0.01;

/**
 * A stretch begins when two frames and 20 ms wait, or one frame's time after its first audio: so that a bot that speaks
 * live has some reserve, and one that writes ahead does not wait. From then on a frame is due every `frameMs`; what is
 * there of it then is sent, padded when nothing more waits. Audio that comes late is sent with the next frame.
 */
export function createSpeaker(options: SpeakerOptions): Speaker {
  const { port, pacer, losses } = options;
  const { frameMs, sendAheadMs = 0, continuous = false, markEveryMs = 0 } = port;
  const { clock } = pacer;
  const queue = createPlayQueue(port.sampleRates, frameMs);
  const playhead = createPlayhead(frameMs, port.mark && { everyMs: markEveryMs });
  /** How far ahead of the caller's ear the end of a frame may lie. */
  const leadMs = Math.max(frameMs, sendAheadMs);
  /** How near to running dry the far end is when a frame that is not full goes out: one period before, where it can be sent ahead. */
  const spareMs = Math.min(frameMs, leadMs - frameMs);
  /** How much must wait for a stretch to begin at once. */
  const startMs = 2 * frameMs + 20;
  const silence: AudioFrame = {
    samples: new Int16Array(Math.round((port.sampleRates[0] * frameMs) / 1000)),
    sampleRate: port.sampleRates[0],
    channels: 1,
  };

  let live = false;
  let over = false;
  let stopTicks: (() => void) | undefined;
  /** Whether the first audio of a stretch has waited its time. */
  let begun = false;
  let waited = false;
  let speaking = false;
  let stretchMs = 0;
  let stretchLostMs = 0;
  let lostMs = 0;
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
    } else if (!stopTicks) {
      waited = true;
      startTicks();
    }
  }

  function tick(dueMs: number): void {
    const { sentMs } = playhead;
    if (!begun && !queue.empty) {
      begun = waited;
      waited = true;
    }
    if (begun) {
      while (leadAt(dueMs) + frameMs <= leadMs + sameMs) {
        const frame = queue.next(leadAt(dueMs) <= spareMs + sameMs);
        if (!frame) break;
        speak(frame, dueMs);
      }
      if (queue.empty && playhead.sentMs === sentMs) mark();
    }
    if (continuous && leadAt(dueMs) <= sameMs) {
      put(silence);
      playhead.sentSilence(dueMs);
    }
    settle();
  }

  /** How long the far end can play on with what it was sent. */
  function leadAt(nowMs: number): number {
    return Math.max(0, playhead.dryAtMs - nowMs);
  }

  function speak(frame: AudioFrame, dueMs: number): void {
    const fromMs = playhead.sentMs;
    const first = !speaking;
    if (first) {
      speaking = true;
      stretchMs = fromMs;
      stretchLostMs = lostMs;
    } else if (playhead.quietAtMs < dueMs - sameMs) losses.counters.outputHoles += 1;
    const sent = put(frame);
    playhead.sent(dueMs, queue.takenMs);
    if (sent) {
      losses.counters.outputFrames += 1;
      if (first || playhead.unmarkedMs >= markEveryMs) mark();
    } else {
      losses.add("outputDropped", "Audio for the caller was dropped: the wire does not take it.");
      lostMs += queue.takenMs - fromMs;
    }
    if (first) options.started();
  }

  /** Asks the far end to report what was sent since the last mark. */
  function mark(): void {
    if (port.mark && playhead.unmarkedMs > 0) attempt(() => port.mark?.(playhead.mark()));
  }

  /** Whether the wire took the frame. */
  function put(frame: AudioFrame): boolean {
    if (port.bufferedBytes && port.bufferedBytes() > maxWireBytes) return false;
    return attempt(() => port.send(frame));
  }

  function attempt(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      options.failed(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  /** Tells those who wait for it what was heard by now, and ends the stretch and the ticks when they are over. */
  function settle(): void {
    const nowMs = clock.now();
    const heardMs = playhead.heardMs(nowMs);
    if (waiters.length > 0) waiters = waiters.filter((waiter) => !answer(waiter, heardMs));
    if (!queue.empty || heardMs < playhead.sentMs || nowMs - playhead.quietAtMs < pauseMs) return;
    endStretch();
  }

  function answer({ positionMs, resolve }: Waiter, heardMs: number): boolean {
    if (positionMs > heardMs + sameMs) return false;
    resolve();
    return true;
  }

  function endStretch(): void {
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

  function giveUp(): void {
    queue.clear();
    for (const { resolve } of waiters) resolve();
    waiters = [];
  }

  return {
    queue,
    say(frame) {
      if (over) return;
      queue.push(frame);
      wake();
    },
    connected() {
      if (live || over) return;
      live = true;
      if (continuous) startTicks();
      wake();
    },
    played(mark) {
      playhead.played(mark, clock.now());
      if (!over) settle();
    },
    interrupt() {
      const nowMs = clock.now();
      const heardMs = playhead.heardMs(nowMs);
      const { endMs } = queue;
      const clears = port.clear !== undefined;
      const cut = {
        playedMs: speaking ? Math.max(0, heardMs - stretchMs - (lostMs - stretchLostMs)) : 0,
        droppedMs: endMs - (clears ? heardMs : playhead.sentMs),
      };
      giveUp();
      playhead.clear(nowMs, endMs, clears);
      if (live && !over) attempt(() => port.clear?.());
      endStretch();
      return cut;
    },
    heard(positionMs) {
      return new Promise((resolve) => {
        const waiter = { positionMs, resolve };
        if (over) resolve();
        else if (!answer(waiter, playhead.heardMs(clock.now()))) waiters.push(waiter);
      });
    },
    get heardMs() {
      return playhead.heardMs(clock.now());
    },
    get lostMs() {
      return lostMs;
    },
    get quietAtMs() {
      return playhead.quietAtMs;
    },
    stop() {
      if (over) return;
      over = true;
      giveUp();
      playhead.clear(clock.now(), queue.endMs, true);
      endStretch();
    },
  };
}

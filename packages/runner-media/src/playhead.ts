/**
 * Tracks how much of the sent audio the far end has played: from its marks where it reports them, else from the send clock.
 * Positions are those of the playout queue, times those of the clock; both in ms.
 */
export interface Playhead {
  /** A frame was sent that contains the audio up to `positionMs`. */
  sent(nowMs: number, positionMs: number): void;
  /** Creates a mark for everything sent so far. */
  mark(): string;
  /** A frame of silence was sent. */
  sentSilence(nowMs: number): void;
  /** The far end has played everything before this mark. Unknown marks, and marks of cleared audio, are ignored. */
  played(mark: string, nowMs: number): void;
  /** Audio up to `positionMs` was dropped; with `cleared`, also by the far end. */
  clear(nowMs: number, positionMs: number, cleared: boolean): void;
  /** The position that the far end has played. Never beyond `sentMs`, and never less than before. */
  playedMs(nowMs: number): number;
  /** The position that was sent. */
  readonly sentMs: number;
  /** Milliseconds that were sent since the last mark. */
  readonly unmarkedMs: number;
  /** When the far end runs out of audio, by the send clock; in the past when it has. */
  readonly dryAtMs: number;
  /** When it has played the last audio other than silence, by the send clock. */
  readonly quietAtMs: number;
}

/** A mark that is this late never comes. */
const markGraceMs = 2_000;
/** How long the far end is assumed to continue between two marks: more would be wrong by over 20 ms if it stalled. */
const assumedMs = 20;
/** Marks that are remembered: 20 s of them. Bounds memory when the far end reports none. */
const maxMarks = 1_000;

/** The audio before one mark. */
interface Section {
  readonly positionMs: number;
  /** When its first frame was sent. */
  readonly sentAtMs: number;
}

/** `marks` is present when the far end reports marks; `everyMs` is the longest audio between two marks. */
export function createPlayhead(frameMs: number, marks: { readonly everyMs: number } | undefined): Playhead {
  const continuesMs = Math.max(assumedMs, marks?.everyMs ?? 0);
  let sentMs = 0;
  let dryAtMs = Number.NEGATIVE_INFINITY;
  let quietAtMs = dryAtMs;
  /** Padding in the last frame. */
  let padMs = 0;
  /** The position up to which audio was played or dropped. */
  let passedMs = 0;
  let lastMark = 0;
  /** Marks that were sent and not reported; the last one is `lastMark`. */
  let pending: Section[] = [];
  /** Audio that was sent since the last mark. */
  let unmarked: Section | undefined;
  let markedMs = 0;
  let markedAtMs = 0;

  function bySendClock(nowMs: number): number {
    return sentMs - Math.max(0, dryAtMs - nowMs - padMs);
  }

  function byMarks(nowMs: number): number {
    const next = pending[0] ?? unmarked;
    if (!next || nowMs >= quietAtMs + markGraceMs) return sentMs;
    // The far end continues only if it had more audio when it reported the mark.
    if (next.sentAtMs > markedAtMs) return markedMs;
    return Math.min(next.positionMs, markedMs + Math.min(nowMs - markedAtMs, continuesMs));
  }

  function playedMs(nowMs: number): number {
    passedMs = Math.max(passedMs, marks ? byMarks(nowMs) : bySendClock(nowMs));
    return passedMs;
  }

  return {
    sent(nowMs, positionMs) {
      // The send clock does not know of silence before the last frame.
      playedMs(nowMs);
      padMs = Math.max(0, frameMs - (positionMs - sentMs));
      sentMs = positionMs;
      dryAtMs = Math.max(dryAtMs, nowMs) + frameMs;
      quietAtMs = dryAtMs;
      if (marks) unmarked = { positionMs, sentAtMs: unmarked?.sentAtMs ?? nowMs };
    },
    mark() {
      lastMark += 1;
      pending.push(unmarked ?? { positionMs: sentMs, sentAtMs: markedAtMs });
      unmarked = undefined;
      if (pending.length > maxMarks) pending.shift();
      return String(lastMark);
    },
    sentSilence(nowMs) {
      dryAtMs = Math.max(dryAtMs, nowMs) + frameMs;
      padMs = frameMs;
    },
    played(mark, nowMs) {
      const index = Number(mark) - (lastMark - pending.length + 1);
      const reported = pending[index];
      if (!reported) return;
      pending.splice(0, index + 1);
      markedMs = reported.positionMs;
      markedAtMs = nowMs;
    },
    clear(nowMs, positionMs, cleared) {
      pending = [];
      unmarked = undefined;
      sentMs = positionMs;
      passedMs = positionMs;
      markedMs = positionMs;
      if (cleared) dryAtMs = Math.min(dryAtMs, nowMs);
      quietAtMs = Math.min(quietAtMs, dryAtMs);
    },
    playedMs,
    get sentMs() {
      return sentMs;
    },
    get unmarkedMs() {
      return unmarked ? unmarked.positionMs - (pending.at(-1)?.positionMs ?? markedMs) : 0;
    },
    get dryAtMs() {
      return dryAtMs;
    },
    get quietAtMs() {
      return quietAtMs;
    },
  };
}

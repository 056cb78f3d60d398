/**
 * Knows how much of what was sent the caller has heard: by the far end's marks where it reports them, else by the send
 * clock. Positions are those of the play queue, times those of the clock; both in ms.
 */
export interface Playhead {
  /** A frame was sent, in which the audio up to `positionMs` lies. */
  sent(nowMs: number, positionMs: number): void;
  /** Names a mark that reports everything sent so far. */
  mark(): string;
  /** A frame was sent in which none lies. */
  sentSilence(nowMs: number): void;
  /** The far end has played what was sent before this mark. Marks of what was cleared since, and unknown ones, say nothing. */
  played(mark: string, nowMs: number): void;
  /** Everything up to `positionMs` is given up; with `cleared` the far end has dropped what it had not played, too. */
  clear(nowMs: number, positionMs: number, cleared: boolean): void;
  /** The position that the caller has heard. Never beyond `sentMs`. */
  heardMs(nowMs: number): number;
  /** The position that was sent. */
  readonly sentMs: number;
  /** How much was sent in ms that no mark reports yet. */
  readonly unmarkedMs: number;
  /** When the far end has nothing more to play, by the send clock; it lies in the past when it is dry. */
  readonly dryAtMs: number;
  /** When it has played the last audio, by the send clock. */
  readonly quietAtMs: number;
}

/** A far end that reports no mark for so long after it must have played it never will. */
const markGraceMs = 2_000;
/** Between two marks the far end is believed to play on for so long: more would not be right to 20 ms should it stall. */
const believedMs = 20;
/** Marks that may be out: 20 s of them. Of a far end that reports none, more are not remembered. */
const maxMarks = 1_000;

/** Audio that one mark reports, or will. */
interface Section {
  readonly positionMs: number;
  /** When the first of it was sent. */
  readonly sentAtMs: number;
}

/** `marks`: whether the far end reports them, and how much audio lies between two at most. */
export function createPlayhead(frameMs: number, marks: { readonly everyMs: number } | undefined): Playhead {
  const playsOnMs = Math.max(believedMs, marks?.everyMs ?? 0);
  let sentMs = 0;
  let dryAtMs = Number.NEGATIVE_INFINITY;
  let quietAtMs = dryAtMs;
  /** How much of the last frame is padding. */
  let padMs = 0;
  /** The position below which nothing can be asked any more. */
  let givenUpMs = 0;
  let lastMark = 0;
  /** The marks that are out; the last one is `lastMark`. */
  let out: Section[] = [];
  /** What was sent since the last mark. */
  let unmarked: Section | undefined;
  let markedMs = 0;
  let markedAtMs = 0;

  function bySendClock(nowMs: number): number {
    return sentMs - Math.max(0, dryAtMs - nowMs - padMs);
  }

  function byMarks(nowMs: number): number {
    const next = out[0] ?? unmarked;
    if (!next || nowMs >= quietAtMs + markGraceMs) return sentMs;
    // Only a far end that had more when it reported a mark can be believed to play on.
    if (next.sentAtMs > markedAtMs) return markedMs;
    return Math.min(next.positionMs, markedMs + Math.min(nowMs - markedAtMs, playsOnMs));
  }

  return {
    sent(nowMs, positionMs) {
      padMs = Math.max(0, frameMs - (positionMs - sentMs));
      sentMs = positionMs;
      dryAtMs = Math.max(dryAtMs, nowMs) + frameMs;
      quietAtMs = dryAtMs;
      if (marks) unmarked = { positionMs, sentAtMs: unmarked?.sentAtMs ?? nowMs };
    },
    mark() {
      lastMark += 1;
      out.push(unmarked ?? { positionMs: sentMs, sentAtMs: markedAtMs });
      unmarked = undefined;
      if (out.length > maxMarks) out.shift();
      return String(lastMark);
    },
    sentSilence(nowMs) {
      dryAtMs = Math.max(dryAtMs, nowMs) + frameMs;
      padMs = frameMs;
    },
    played(mark, nowMs) {
      const index = Number(mark) - (lastMark - out.length + 1);
      const reported = out[index];
      if (!reported) return;
      out.splice(0, index + 1);
      markedMs = reported.positionMs;
      markedAtMs = nowMs;
    },
    clear(nowMs, positionMs, cleared) {
      out = [];
      unmarked = undefined;
      sentMs = positionMs;
      givenUpMs = positionMs;
      markedMs = positionMs;
      if (cleared) dryAtMs = Math.min(dryAtMs, nowMs);
      quietAtMs = Math.min(quietAtMs, dryAtMs);
    },
    heardMs(nowMs) {
      return Math.max(givenUpMs, marks ? byMarks(nowMs) : bySendClock(nowMs));
    },
    get sentMs() {
      return sentMs;
    },
    get unmarkedMs() {
      return unmarked ? unmarked.positionMs - (out.at(-1)?.positionMs ?? markedMs) : 0;
    },
    get dryAtMs() {
      return dryAtMs;
    },
    get quietAtMs() {
      return quietAtMs;
    },
  };
}

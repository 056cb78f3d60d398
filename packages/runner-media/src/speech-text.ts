/** The text of one speech and how much of it the caller has heard. */
export interface SpeechText {
  readonly text: string;
  readonly heardText: string;
  /** Appends text. It starts at `atMs` of the speech's audio, if that is known. */
  add(delta: string, atMs?: number): void;
  /** The caller has heard `playedMs` of the audio. Returns whether `heardText` has grown. It never shrinks. */
  advance(playedMs: number): boolean;
}

export interface SpeechAudio {
  /** Milliseconds of audio so far. */
  readonly writtenMs: number;
  /** Whether all audio is there. */
  readonly complete: boolean;
}

/** Upper bound of the estimated rate of speech: text often arrives before its audio, and would seem to be heard too early. */
const maxCharactersPerMs = 17 / 1000;
/** Positions are products of fractions: a smaller difference is none. */
const epsilon = 0.001;

const toLastWord = /^.*[\p{L}\p{N}]/su;
/** Belongs to the word before it. */
const punctuation = /^[^\s\p{L}\p{N}]*/u;
const words = new Intl.Segmenter(undefined, { granularity: "word" });

/** A character of the text whose position in the audio is known. */
interface Anchor {
  readonly index: number;
  readonly atMs: number;
}

/**
 * Text between two known positions is spoken at a constant rate. Text after the last one fills the rest of the audio, or is
 * spoken at 17 characters per second while more may follow and that is less. A speech without audio is heard when it is complete.
 */
export function createSpeechText(audio: SpeechAudio): SpeechText {
  let text = "";
  let heard = 0;
  let anchors: Anchor[] = [{ index: 0, atMs: 0 }];
  let segments: Intl.Segments | undefined;

  function indexAt(playedMs: number): number {
    if (audio.complete && playedMs >= audio.writtenMs - epsilon) return text.length;
    const last = anchors.findLastIndex(({ atMs }) => atMs <= playedMs);
    const from = anchors[last];
    if (!from) return 0;
    const next = anchors[last + 1];
    const characters = (next?.index ?? text.length) - from.index;
    const share = characters / Math.max(epsilon, (next?.atMs ?? audio.writtenMs) - from.atMs);
    const rate = next || audio.complete ? share : Math.min(share, maxCharactersPerMs);
    return Math.min(from.index + characters, from.index + (playedMs - from.atMs) * rate + epsilon);
  }

  /** The end of the last whole word at or before `index`, with its punctuation. The last word is whole when no more text can follow. */
  function wordEnd(index: number): number {
    const isAll = index >= text.length;
    if (isAll && audio.complete) return text.length;
    segments ??= words.segment(text);
    const segment = segments.containing(Math.min(Math.floor(index), text.length - 1));
    if (isAll && !segment?.isWordLike) return text.trimEnd().length;
    const end = toLastWord.exec(text.slice(0, segment?.index))?.[0].length ?? 0;
    return end + (end > 0 ? (punctuation.exec(text.slice(end))?.[0].length ?? 0) : 0);
  }

  return {
    get text() {
      return text;
    },
    get heardText() {
      return text.slice(0, heard);
    },
    add(delta, atMs) {
      if (delta === "") return;
      if (atMs !== undefined && atMs > 0) {
        const index = text.length;
        // A position before an earlier one moves that one: the latest report is the best.
        anchors = [...anchors.filter((anchor) => anchor.index < index && anchor.atMs < atMs), { index, atMs }];
      }
      text += delta;
      segments = undefined;
    },
    advance(playedMs) {
      if (playedMs <= 0 || heard === text.length) return false;
      const before = heard;
      heard = Math.max(heard, wordEnd(indexAt(playedMs)));
      return heard > before;
    },
  };
}

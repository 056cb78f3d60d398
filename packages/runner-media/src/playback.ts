import type { Playback, Speech } from "@pipecat-ts/runner-core";
import { createSpeech, type SpeechOptions } from "./speech.ts";
import { type AudioSource, createUtterance } from "./utterance.ts";

/** The utterances that `Transport.play` and `Transport.speak` started. */
export interface Playbacks {
  play(audio: AudioSource): Playback;
  speak(): Speech;
  /**
   * Ends all utterances as interrupted. Call it before the playout forgets what was played. Returns the ms of audio that speeches
   * held and that was not enqueued yet.
   */
  interrupt(): number;
  /** The caller has heard more. */
  advanced(): void;
  /** Calls `next` when the utterances that are not over now are over: at once if there are none. */
  whenOver(next: () => void): void;
  /** The utterance that the caller hears, or heard last, among those that are not over. */
  readonly current: Playback | undefined;
}

export interface PlaybackOptions extends Omit<SpeechOptions, "id"> {
  /** The call is over: utterances are interrupted at once. */
  isOver(): boolean;
}

interface Entry {
  readonly playback: Playback;
  interrupt(): number;
  advanced?(): void;
}

export function createPlaybacks(options: PlaybackOptions): Playbacks {
  const entries = new Set<Entry>();
  let lastSpeech = 0;

  function add(entry: Entry): void {
    entries.add(entry);
    const forget = () => void entries.delete(entry);
    // This also handles the rejection, which bots need not await: `failed` has reported the error.
    entry.playback.done.then(forget, forget);
  }

  return {
    play(audio) {
      const utterance = createUtterance(audio, options);
      add({
        playback: utterance,
        interrupt() {
          utterance.interrupt();
          return 0;
        },
      });
      if (options.isOver() || !options.audioOut) utterance.interrupt();
      return utterance;
    },
    speak() {
      lastSpeech += 1;
      const { speech, interrupt, advanced } = createSpeech({ ...options, id: lastSpeech });
      add({ playback: speech, interrupt, advanced });
      if (options.isOver()) interrupt();
      return speech;
    },
    interrupt() {
      // A listener of an interrupted utterance may start another one, which is not interrupted.
      return [...entries].reduce((unenqueuedMs, entry) => unenqueuedMs + entry.interrupt(), 0);
    },
    advanced() {
      for (const entry of entries) entry.advanced?.();
    },
    whenOver(next) {
      const open = [...entries].map(({ playback }) => playback.done);
      if (open.length === 0) next();
      else void Promise.allSettled(open).then(next);
    },
    get current() {
      return [...entries].findLast(({ playback }) => playback.playedMs > 0)?.playback;
    },
  };
}

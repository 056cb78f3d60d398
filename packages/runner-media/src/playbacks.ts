import type { AudioFrame } from "@pipecat-ts/audio";
import type { Playback } from "@pipecat-ts/runner-core";
import { createStretch, type Stretch, type StretchOptions } from "./stretch.ts";

/** The stretches of speech given to `play`. */
export interface Playbacks {
  play(audio: ReadableStream<AudioFrame> | AsyncIterable<AudioFrame>): Playback;
  /** Ends all that are not over, as interrupted. Call it before the speaker forgets what was heard. */
  interrupt(): void;
  /** The one that the caller hears, or heard last, of those that are not over. */
  readonly current: Playback | undefined;
}

export function createPlaybacks(options: StretchOptions): Playbacks {
  const stretches = new Set<Stretch>();
  return {
    play(audio) {
      const stretch = createStretch(audio, options);
      stretches.add(stretch);
      const forget = () => void stretches.delete(stretch);
      // Handles a rejection, too: nobody needs to await it, and `failed` has told of it.
      stretch.done.then(forget, forget);
      return stretch;
    },
    interrupt() {
      for (const stretch of stretches) stretch.interrupt();
    },
    get current() {
      return [...stretches].findLast(({ playedMs }) => playedMs > 0);
    },
  };
}

import type { Outbox } from "./outbox.ts";
import type { BotOutputData } from "./server-messages.ts";
import type { RTVILogger } from "./transport.ts";

/** How the bot's text was split. */
export interface BotOutputOptions {
  /**
   * The form of the text: `sentence`, `backchannel` (a short acknowledgment while the user talks, which clients before protocol
   * 2.2 do not receive), or a name of the application. Default `sentence`, which the React kit joins to a paragraph.
   */
  readonly outputType?: string | undefined;
}

/** How a spoken text relates to its audio. */
export interface BotSpeechOptions extends BotOutputOptions {
  /**
   * The playback of this text, as `transport.play` returns it. When it ends, the segment is completed. When it fails or is
   * interrupted, the segment is cancelled. Without a playback, the bot calls `complete` or `cancel` itself.
   */
  readonly playback?: { readonly done: Promise<{ readonly interrupted: boolean }> } | undefined;
}

/** A text that is being spoken. All methods may be called at any time, and do nothing after the segment has ended. */
export interface SpokenSegment {
  /** `segment_id` on the wire. The first segment of a session is 1. */
  readonly id: number;
  /** Reports that the first `characters` of the text were spoken, counted like `text.length`. Lower values than before are ignored. The full length completes the segment. */
  progress(characters: number): Promise<void>;
  /** Reports that the whole text was spoken. */
  complete(): Promise<void>;
  /** Reports that the rest will not be spoken. A text that was not shown yet is never shown; otherwise the rest stays marked as unspoken. */
  cancel(): void;
}

/** Sends the text of the bot's output to the client in time with its audio. */
export interface BotOutputs {
  show(text: string, options?: BotOutputOptions): Promise<void>;
  /** With `isHeard`, the caller hears the text already: it does not wait for `speechStarted`. */
  speak(text: string, options?: BotSpeechOptions & { readonly isHeard?: boolean | undefined }): SpokenSegment;
  /** The caller hears the bot from now on. Sends the held messages. */
  speechStarted(): void;
  speechStopped(): void;
  close(): void;
}

/** The number of messages held until the bot starts to speak. If there are more, the oldest are sent early. */
const maxHeld = 100;

/** A held message. `segment` is the segment whose audio it waits for. */
type Held = { readonly data: BotOutputData; readonly segment?: number | undefined };

/**
 * Sends the text of speech when the caller hears it: holds text that arrives before `speechStarted`, and all text that
 * follows it.
 */
export function createBotOutputs(outbox: Outbox, logger: RTVILogger | undefined): BotOutputs {
  let held: Held[] = [];
  let speaking = false;
  let lastId = 0;

  const send = (data: BotOutputData): Promise<void> => outbox.send("bot-output", data);
  const release = (count: number): void => {
    for (const { data } of held.splice(0, count)) void send(data);
  };
  /** Sends the unspoken messages at the front: they only wait for the speech before them. */
  const releaseShown = (): void => {
    const next = held.findIndex(({ segment }) => segment !== undefined);
    release(next < 0 ? held.length : next);
  };
  /** Holds a message at `index`, by default at the end. */
  const hold = async (message: Held, index = held.length): Promise<void> => {
    held.splice(index, 0, message);
    if (held.length > maxHeld) release(1);
  };
  /** The index after the last held message of a segment. 0 if none is held. */
  const endOf = (id: number): number => held.findLastIndex(({ segment }) => segment === id) + 1;

  return {
    show(text, { outputType = "sentence" } = {}) {
      lastId += 1;
      const data = { text, output_type: outputType, segment_id: lastId, will_be_spoken: false };
      return speaking || held.length === 0 ? send(data) : hold({ data });
    },

    speak(text, { outputType = "sentence", playback, isHeard = speaking } = {}) {
      lastId += 1;
      const id = lastId;
      let spoken = 0;
      let over = false;

      const dataFor = (status: BotOutputData["spoken_status"] & string): BotOutputData => ({
        text,
        output_type: outputType,
        segment_id: id,
        will_be_spoken: true,
        spoken_status: status,
        spoken_progress: { accumulated_text: text.slice(0, spoken), remaining_text: text.slice(spoken) },
      });
      const proceedTo = (characters: number): Promise<void> => {
        spoken = characters;
        over = spoken === text.length;
        const data = dataFor(over ? "completed" : "in-progress");
        const index = endOf(id);
        return index > 0 ? hold({ data, segment: id }, index) : send(data);
      };
      const segment: SpokenSegment = {
        id,
        progress(characters) {
          const reached = Math.min(Math.trunc(characters), text.length);
          return !over && reached > spoken ? proceedTo(reached) : Promise.resolve();
        },
        complete: () => (over ? Promise.resolve() : proceedTo(text.length)),
        cancel() {
          if (over) return;
          over = true;
          held = held.filter((message) => message.segment !== id);
          releaseShown();
        },
      };

      const first = { data: dataFor("new"), segment: id };
      void (isHeard ? send(first.data) : hold(first));
      playback?.done.then(
        ({ interrupted }) => {
          if (interrupted) return segment.cancel();
          void segment.complete();
          release(endOf(id)); // `speechStarted` was not called, but the audio has played: do not wait for the next speech
          releaseShown();
        },
        (err) => {
          logger?.warn({ err }, "playback of bot speech failed");
          segment.cancel();
        },
      );
      return segment;
    },

    speechStarted() {
      speaking = true;
      release(held.length);
    },
    speechStopped() {
      speaking = false;
    },
    close() {
      held = [];
    },
  };
}

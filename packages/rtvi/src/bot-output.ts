import type { Outbox } from "./outbox.ts";
import type { BotOutputData } from "./server-messages.ts";
import type { RTVILogger } from "./transport.ts";

/** How a piece of text was cut: a piece is a `sentence` unless said otherwise, and any other name is the application's. */
export interface BotOutputOptions {
  /** `aggregated_by` on the wire. Default `sentence`, which the React kit runs on in one paragraph. */
  readonly aggregatedBy?: string;
}

/** How text that is spoken relates to its sound. */
export interface BotSpeechOptions extends BotOutputOptions {
  /**
   * The playback of this text, as `transport.play` returns it: when it ends, the segment is completed, or cancelled if it
   * was interrupted or failed. Without it the bot calls `complete` or `cancel` itself.
   */
  readonly playback?: { readonly done: Promise<{ readonly interrupted: boolean }> };
}

/** A piece of text while it is spoken. Every call is safe at any time, and does nothing once the segment is over. */
export interface SpokenSegment {
  /** `segment_id` on the wire: 1 for the first of a session. */
  readonly id: number;
  /** Says that the first `characters` of the text were spoken, counted as `text.length` counts. Never goes back; all of them completes it. */
  progress(characters: number): Promise<void>;
  /** Says that the text was spoken to its end. */
  complete(): Promise<void>;
  /** Says that no more of it will be spoken. Text not shown yet is not shown; text that is, stays unspoken from there. */
  cancel(): void;
}

/** The text of what the bot says and shows, brought to the client as it is heard. */
export interface BotOutputs {
  show(text: string, options?: BotOutputOptions): Promise<void>;
  speak(text: string, options?: BotSpeechOptions): SpokenSegment;
  /** The bot is heard from now on: what was held goes out. */
  speechStarted(): void;
  speechStopped(): void;
  close(): void;
}

/** How many messages wait for the bot to be heard; of more, the oldest go out early. */
const maxHeld = 100;

/** A message that waits; `segment` is the segment whose sound it waits for. */
type Held = { readonly data: BotOutputData; readonly segment?: number };

/**
 * Sends the text of speech only when the speech is heard: what is said before `speechStarted` is held until then, and
 * so is text that only is shown but was said to come after it.
 */
export function createBotOutputs(outbox: Outbox, logger: RTVILogger | undefined): BotOutputs {
  let held: Held[] = [];
  let speaking = false;
  let lastId = 0;

  const send = (data: BotOutputData): Promise<void> => outbox.send("bot-output", data);
  const release = (count: number): void => {
    for (const { data } of held.splice(0, count)) void send(data);
  };
  /** Text that is only shown waits for nothing but the speech before it. */
  const releaseShown = (): void => {
    const next = held.findIndex(({ segment }) => segment !== undefined);
    release(next < 0 ? held.length : next);
  };
  /** Holds a message, at the end or where the messages of its segment end. */
  const hold = async (message: Held, place = held.length): Promise<void> => {
    held.splice(place, 0, message);
    if (held.length > maxHeld) release(1);
  };
  /** Where the held messages of a segment end; 0 when none is held. */
  const endOf = (id: number): number => held.findLastIndex(({ segment }) => segment === id) + 1;

  return {
    show(text, { aggregatedBy = "sentence" } = {}) {
      lastId += 1;
      const data = { text, aggregated_by: aggregatedBy, segment_id: lastId, will_be_spoken: false };
      return speaking || held.length === 0 ? send(data) : hold({ data });
    },

    speak(text, { aggregatedBy = "sentence", playback } = {}) {
      lastId += 1;
      const id = lastId;
      let spoken = 0;
      let over = false;

      const dataFor = (status: BotOutputData["spoken_status"] & string): BotOutputData => ({
        text,
        aggregated_by: aggregatedBy,
        segment_id: id,
        will_be_spoken: true,
        spoken_status: status,
        spoken_progress: { accumulated_text: text.slice(0, spoken), remaining_text: text.slice(spoken) },
      });
      const proceedTo = (characters: number): Promise<void> => {
        spoken = characters;
        over = spoken === text.length;
        const data = dataFor(over ? "completed" : "in-progress");
        const place = endOf(id);
        return place > 0 ? hold({ data, segment: id }, place) : send(data);
      };
      const segment: SpokenSegment = {
        id,
        async progress(characters) {
          const reached = Math.min(Math.trunc(characters), text.length);
          if (!over && reached > spoken) await proceedTo(reached);
        },
        async complete() {
          if (!over) await proceedTo(text.length);
        },
        cancel() {
          if (over) return;
          over = true;
          held = held.filter((message) => message.segment !== id);
          releaseShown();
        },
      };

      const opening = { data: dataFor("new"), segment: id };
      void (speaking ? send(opening.data) : hold(opening));
      playback?.done.then(
        ({ interrupted }) => {
          if (interrupted) return segment.cancel();
          void segment.complete();
          release(endOf(id)); // it was heard, though nobody said so: its text may not wait for the next speech
          releaseShown();
        },
        (error) => {
          logger?.warn(`The audio of a bot output failed: ${error}`);
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

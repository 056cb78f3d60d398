import { type AudioFrame, durationMs } from "@pipecat-ts/audio";
import type { Clock } from "@pipecat-ts/runner-media";

/** Decides when the first of the others can hear the bot. */
export interface Arrival {
  /** Somebody joined. */
  joined(): void;
  /** Somebody sounds, be it silence. */
  heard(frame: AudioFrame): void;
  /** The bot is out of the room. */
  stop(): void;
}

/** Sound has come for so long that it can be trusted to go the other way, too. */
const steadyMs = 300;
/** Whoever has no microphone is given this long. */
const mutedMs = 2_000;

/**
 * Daily tells of somebody before their connection stands, and what a bot says until then is lost: its greeting. So `arrived`
 * is called, once, when they have been heard for 300 ms, or 2 s after they joined.
 */
export function createArrival(clock: Clock, arrived: () => void): Arrival {
  let heardMs = 0;
  let stopWaiting: (() => void) | undefined;
  let over = false;

  function arrive(): void {
    over = true;
    stopWaiting?.();
    arrived();
  }

  return {
    joined() {
      if (!over) stopWaiting ??= clock.after(mutedMs, arrive);
    },
    heard(frame) {
      if (over) return;
      heardMs += durationMs(frame);
      if (heardMs >= steadyMs) arrive();
    },
    stop() {
      over = true;
      stopWaiting?.();
    },
  };
}

/** Levels above it are sound. In dBFS. */
const soundDb = -45;
/** How long the caller must be silent until an utterance has ended. */
const silenceMs = 250;
/** An answer that takes longer is not an answer to this utterance. */
const maxResponseMs = 20_000;

/**
 * Measures the time from the end of the caller's speech to the bot's first sound, from the levels of both. A bot that already
 * speaks when the caller ends gives no measurement.
 */
export class ResponseTimer {
  #spokeUntil: number | undefined;
  #botSounds = false;

  /** Takes the levels at `atMs`, in dBFS. Returns a response time in ms when the bot starts to answer. */
  measure(atMs: number, levels: { readonly caller: number; readonly bot: number }): number | undefined {
    const botSounds = levels.bot > soundDb;
    const starts = botSounds && !this.#botSounds;
    this.#botSounds = botSounds;
    if (levels.caller > soundDb) {
      // The caller speaks while the bot does: its end is not followed by the bot's first sound.
      this.#spokeUntil = botSounds ? undefined : atMs;
      return undefined;
    }
    const spokeUntil = this.#spokeUntil;
    if (spokeUntil === undefined || !starts) return undefined;
    this.#spokeUntil = undefined;
    const elapsedMs = atMs - spokeUntil;
    if (elapsedMs < silenceMs || elapsedMs > maxResponseMs) return undefined;
    return elapsedMs;
  }
}

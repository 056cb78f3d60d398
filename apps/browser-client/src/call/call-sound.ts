import { type LevelMeter, openLevelMeter, silenceDb } from "./level-meter.ts";
import { ResponseTimer } from "./response-time.ts";

const measureEveryMs = 25;

type Side = "caller" | "bot";

/** Measures the sound of both sides of a call, and plays the bot. */
export class CallSound {
  readonly #context = new AudioContext();
  readonly #player: HTMLAudioElement | undefined;
  readonly #meters = new Map<Side, { readonly track: MediaStreamTrack; readonly meter: LevelMeter }>();
  readonly #timer: ReturnType<typeof setInterval>;

  /** `onResponse` gets the time from the end of the caller's speech to the bot's first sound, in ms. */
  constructor(playsBot: boolean, onResponse: (ms: number) => void) {
    if (playsBot) this.#player = new Audio();
    const responses = new ResponseTimer();
    this.#timer = setInterval(() => {
      const responseMs = responses.measure(performance.now(), this.levels());
      if (responseMs !== undefined) onResponse(responseMs);
    }, measureEveryMs);
  }

  start(side: Side, track: MediaStreamTrack): void {
    if (this.#meters.get(side)?.track === track || this.#context.state === "closed") return;
    if (side === "bot" && this.#player) {
      this.#player.srcObject = new MediaStream([track]);
      // Without a user gesture on the page, the browser plays it after the next one. Connect is one.
      this.#player.play().catch((error: Error) => console.warn("The bot's audio does not play:", error.message));
    }
    void this.#context.resume(); // Safari starts it only when a microphone is open
    this.#meters.get(side)?.meter.close();
    this.#meters.set(side, { track, meter: openLevelMeter(this.#context, track) });
  }

  stop(side: Side, track: MediaStreamTrack): void {
    const current = this.#meters.get(side);
    if (current?.track !== track) return;
    current.meter.close();
    this.#meters.delete(side);
  }

  /** In dBFS. */
  levels(): Readonly<Record<Side, number>> {
    const level = (side: Side) => this.#meters.get(side)?.meter.levelDb() ?? silenceDb;
    return { caller: level("caller"), bot: level("bot") };
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#player) this.#player.srcObject = null;
    this.#meters.clear();
    void this.#context.close();
  }
}

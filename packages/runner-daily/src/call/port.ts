import type { Clock, MediaPort } from "@pipecat-ts/runner-media";
import type { DailyCall } from "./daily-call.ts";

export interface DailyPortOptions {
  /** Rate in Hz of the bot's voice. */
  readonly sampleRate: number;
  readonly clock: Clock;
  send(message: unknown): Promise<void>;
  leaving(): void;
  /** The bot is out of the room. */
  left(): void;
}

/**
 * How long the bot stays after its last word was played in its page: so long is that on its way, and in the jitter buffers
 * of those who listen, who drop it as the bot leaves.
 */
const lastWordMs = 300;

/**
 * The bot's voice in a room. Some of it waits in the page, so that neither this process's nor the page's pauses are heard;
 * an interruption drops it, and the page says what it has played.
 */
export function createDailyPort(
  call: DailyCall,
  { sampleRate, clock, send, leaving, left }: DailyPortOptions,
): MediaPort {
  return {
    sampleRates: [sampleRate],
    frameMs: 20,
    sendAheadMs: 60,
    send: (frame) => call.sendAudio(frame.samples),
    clear: () => call.clearAudio(),
    mark: (mark) => call.markAudio(mark),
    sendMessage: (message) => send(message),
    bufferedBytes: () => call.bufferedBytes,
    async close(reason) {
      if (reason === "bot-finished") await new Promise<void>((resolve) => void clock.after(lastWordMs, resolve));
      leaving();
      await call.close();
      left();
    },
  };
}

import type { Transport } from "@pipecat-ai/client-js";

/** How the sound of one call travels over its transport. */
export interface Line {
  /** The bot's voice, where this line plays it: for visualisers, which play nothing. */
  readonly bot?: MediaStreamTrack | undefined;
  /** Lets the bot hear `microphone`, until what this resolves with is called. */
  carry(microphone: MediaStreamTrack): Promise<() => Promise<void>>;
  /** Plays the bot's samples, PCM16, after all earlier ones. Takes them over. */
  play(samples: Int16Array): void;
  /** Forgets what has not sounded yet. */
  clear(): void;
  close(): Promise<void>;
}

/** Opens a line for one call of `transport`; samples that the transport sends itself are given to `send`. */
export type OpenLine = (transport: Transport, send: (samples: Int16Array) => void) => Promise<Line>;

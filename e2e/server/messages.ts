import type { Resources } from "@pipecat-ts/runner-testing";

/** What the server's process holds after garbage collection. */
export interface Holdings extends Resources {
  /** Listeners on the HTTP servers, by event. */
  readonly serverListeners: Readonly<Record<string, number>>;
  /** Ended sessions that could not be collected because something still refers to their signal or their socket. */
  readonly retained: number;
  /** Opus encoders and decoders that were not freed. */
  readonly codecs: number;
  /** The largest send buffer of all callers, in bytes. */
  readonly mostBufferedBytes: number;
  /** Resident memory. */
  readonly rssBytes: number;
  /** Live objects. */
  readonly heapBytes: number;
  /** Live objects and their buffers. */
  readonly liveBytes: number;
}

/** The questions that the server's process answers, with the type of each answer. */
export interface Answers {
  readonly port: number;
  readonly counts: { readonly pending: number; readonly active: number };
  readonly holdings: Holdings;
  /** Ends all pending sessions. */
  readonly endPending: unknown;
  /** Ends all sessions except the oldest. */
  readonly endLater: unknown;
  /** Enumerable properties that something added to `Object.prototype`. */
  readonly pollution: readonly string[];
  /** Stops the runner's timers. Time passes only through `passTime`, until `restoreTime`. */
  readonly stopTime: unknown;
  readonly passTime: unknown;
  readonly restoreTime: unknown;
}

/** One question to the server's process. */
export interface Question {
  readonly ask: keyof Answers;
  readonly ms?: number;
}

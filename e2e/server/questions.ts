import type { Resources } from "@pipecat-ts/runner-testing";

/** What the server's process holds, once what nobody can reach any more is collected. */
export interface Holdings extends Resources {
  /** Listeners on the HTTP servers, by event. */
  readonly serverListeners: Readonly<Record<string, number>>;
  /** How many of the ended sessions could not be collected: something still refers to their signal or their socket. */
  readonly retained: number;
  /** Opus encoders and decoders that were not freed. */
  readonly codecs: number;
  /** What waits to be sent to callers, in bytes, of the caller who reads least. */
  readonly mostWaitingBytes: number;
  /** Resident memory. */
  readonly rssBytes: number;
  /** Live objects. */
  readonly heapBytes: number;
  /** Live objects, and the buffers that belong to them. */
  readonly liveBytes: number;
}

/** What the server's process can be asked, to what it answers. */
export interface Answers {
  readonly port: number;
  readonly counts: { readonly pending: number; readonly active: number };
  readonly holdings: Holdings;
  /** Ends the sessions that still wait for their callers. */
  readonly endPending: unknown;
  /** Ends every session but that which began first. */
  readonly endLater: unknown;
  /** What somebody added to every object by way of its prototype. */
  readonly pollution: readonly string[];
  /** From now on the runner's timers wait for `passTime`, until `restoreTime`. */
  readonly stopTime: unknown;
  readonly passTime: unknown;
  readonly restoreTime: unknown;
}

export interface Question {
  readonly ask: keyof Answers;
  readonly ms?: number;
}

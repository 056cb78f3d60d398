import type { JsonObject } from "./json.ts";

/** What a carrier says in the middle of a call. */
export type CallEvent =
  | ({ readonly kind: "audio" } & CallerAudio)
  /** Everything before this mark was played, or cleared. */
  | { readonly kind: "played"; readonly mark: string }
  /** One of `0-9 * # A-D`. */
  | { readonly kind: "dtmf"; readonly digit: string }
  /** The call is over. */
  | { readonly kind: "stop" }
  /** The carrier did not understand something. `title` must not hold what could be private. */
  | { readonly kind: "error"; readonly title: string }
  /** It is known and asks for nothing. */
  | { readonly kind: "nothing" };

/** A piece of the caller's voice, mono. */
export interface CallerAudio {
  readonly samples: Int16Array;
  /** Where it begins on the carrier's clock, in ms from anywhere, for carriers that leave gaps. */
  readonly atMs?: number | undefined;
  /** Its number, for carriers that may deliver out of order: each is one more than the one before. */
  readonly order?: number | undefined;
}

/**
 * Reads and writes the messages of one call: a state machine without sockets, timers or log. Never throws, whatever the
 * bytes; what it does not know it answers with `undefined`, which is counted.
 */
export interface CallCodec {
  /** Rate in Hz of the audio that it reads. */
  readonly callerSampleRate: number;
  /** Rate in Hz of the audio that it writes. */
  readonly botSampleRate: number;
  /**
   * How much audio one message of the bot's voice carries, in ms. Default 40, which costs half as much as 20: what a message
   * costs is the message.
   */
  readonly frameMs?: number;
  /** How far ahead of real time it is sent, in ms. Default 160. */
  readonly sendAheadMs?: number;
  decode(message: JsonObject): CallEvent | undefined;
  /** The message of one frame of the bot's voice: `frameMs` at `botSampleRate`. */
  encodeAudio(samples: Int16Array): string;
  /** The message that has the carrier report, by `played`, when all before it was played. */
  encodeMark(mark: string): string;
  /** The message that has the carrier drop what it has not played. */
  encodeClear(): string;
  /** The message that has the carrier dial digits. Absent: by its API, or as tones. */
  encodeDtmf?(digits: string): string;
}

/** The event of a pressed key; `undefined` when it is none. */
export function dtmfEvent(digit: string | undefined): CallEvent | undefined {
  return digit !== undefined && /^[0-9A-D*#]$/.test(digit) ? { kind: "dtmf", digit } : undefined;
}

/** The event of a returned mark; `undefined` when it has no name. */
export function playedEvent(mark: string | undefined): CallEvent | undefined {
  return mark === undefined ? undefined : { kind: "played", mark };
}

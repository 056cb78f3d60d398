import { decodePcm16 } from "@pipecat-ts/audio";
import type { JsonObject } from "./json.ts";

/** One message of the carrier during a call. */
export type CallEvent =
  | ({ readonly kind: "audio" } & CallerAudio)
  | ({ readonly kind: "packet" } & CallerPacket)
  /** Everything sent before this mark was played or cleared. */
  | { readonly kind: "played"; readonly mark: string }
  /** A key: one of `0-9 * # A-D`. */
  | { readonly kind: "dtmf"; readonly digit: string }
  /** The call has ended. */
  | { readonly kind: "stop" }
  /** The carrier rejected a message. `title` is logged, so it must not contain private data. */
  | { readonly kind: "error"; readonly title: string }
  /** A known message that needs no action. */
  | { readonly kind: "nothing" };

/** A piece of the caller's audio, mono. */
export interface CallerAudio extends PieceOrder {
  readonly samples: Int16Array;
}

/** A piece of the caller's audio, for a decoder that needs the pieces in order. */
export interface CallerPacket extends PieceOrder {
  /** Decodes the piece. Called at most once, after that of every piece before it. `undefined` if the piece is invalid. */
  decode(): Int16Array | undefined;
}

/** Where a piece of the caller's audio belongs. */
export interface PieceOrder {
  /** Its start on the carrier's clock, in ms from an arbitrary origin, if the carrier leaves out silence. */
  readonly timestampMs?: number | undefined;
  /** Its sequence number, if the carrier may deliver out of order. Consecutive pieces differ by one. */
  readonly sequence?: number | undefined;
}

/** Reads and writes the messages of one call. Has no sockets, timers or log, and never throws, whatever the bytes. */
export interface CallCodec {
  /** Sample rate of the audio that it reads, in Hz. */
  readonly callerSampleRate: number;
  /** Sample rate of the audio that it writes, in Hz. */
  readonly botSampleRate: number;
  /** Audio per message to the carrier, in ms. Default 40, which costs half as much CPU as 20. */
  readonly frameMs?: number;
  /** How far ahead of real time audio is sent, in ms. Default 160. */
  readonly sendAheadMs?: number;
  /** Resolves when audio can be encoded. Until then, `createTransport` waits. Default: at once. */
  readonly ready?: Promise<void>;
  /** `undefined` for an unknown message, which is counted. */
  decode(message: JsonObject): CallEvent | undefined;
  /** Reads a binary message, for carriers that send audio without JSON. Without it, binary messages are counted as unknown. */
  decodeBinary?(bytes: Buffer): CallEvent | undefined;
  /** Encodes one frame: `frameMs` at `botSampleRate`. A text is sent as a text message, bytes as a binary one. */
  encodeAudio(samples: Int16Array): string | Uint8Array;
  /**
   * The message that asks the carrier to report `played` when it has played everything before. Without it, the runner estimates
   * what the caller has heard.
   */
  encodeMark?(mark: string): string;
  /** The message that makes the carrier drop audio that it has not played. */
  encodeClear(): string;
  /** The message that makes the carrier send DTMF. Without it, the API or audible tones are used. */
  encodeDtmf?(digits: string): string;
  /** Frees what the codec holds. Called once, when the session has ended, also if its call was rejected. */
  close?(): void;
}

/** The event of a pressed key; `undefined` when `digit` is not a key. */
export function dtmfEvent(digit: string | undefined): CallEvent | undefined {
  return digit !== undefined && /^[0-9A-D*#]$/.test(digit) ? { kind: "dtmf", digit } : undefined;
}

/** The event of a returned mark; `undefined` when it has no name. */
export function playedEvent(mark: string | undefined): CallEvent | undefined {
  return mark === undefined ? undefined : { kind: "played", mark };
}

/**
 * Reads 16-bit little-endian PCM that may be cut anywhere: half a sample at the end of one piece waits for the next.
 * Dropping it would turn everything after it into noise.
 */
export function createPcmReader(): (bytes: Buffer) => Int16Array {
  let half: Buffer | undefined;
  return (bytes) => {
    const whole = half ? Buffer.concat([half, bytes]) : bytes;
    half = whole.length % 2 === 1 ? Buffer.from(whole.subarray(-1)) : undefined;
    return decodePcm16(whole);
  };
}

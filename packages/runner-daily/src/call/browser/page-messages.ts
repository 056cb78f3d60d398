import { type AudioFrame, decodePcm16 } from "@pipecat-ts/audio";

/** What the page is told, beside audio: PCM16, mono, at the rate it joined with, in a binary message. */
export type PageOrder = { readonly command: "clear" } | { readonly command: "mark"; readonly mark: string };

/** What the page is asked to do; sent with an `id`, which the answer has. */
export interface PageRequest {
  readonly command: "join" | "call" | "leave";
  readonly [argument: string]: unknown;
}

/** What the page tells, beside audio. */
export type PageMessage =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PageFailure }
  | { readonly event: "daily"; readonly detail: { readonly action: string; readonly [field: string]: unknown } }
  | { readonly event: "played"; readonly mark: string }
  | { readonly event: "source"; readonly number: number; readonly participant: string; readonly track: string }
  | { readonly event: "source"; readonly number: number; readonly ended: true };

/** Why something failed, as far as daily-js says it. */
export interface PageFailure {
  /** Daily's name of the error: `exp-token`, `connection-error`; `sdk` when daily-js itself is another than wanted. */
  readonly type?: string;
  readonly message: string;
  /** What failed to connect: `load` is the call machine's own code. */
  readonly on?: string;
}

/** What somebody said, and the number of the source it came from. */
export interface PageAudio {
  readonly number: number;
  readonly frame: AudioFrame;
}

/** What a text message of the page says; `undefined` when nothing. */
export function recogniseMessage(text: string): PageMessage | undefined {
  try {
    return JSON.parse(text) as PageMessage;
  } catch {
    return undefined; // The page is ours, and says nothing else; a bug there must not end the process.
  }
}

/** Number and rate, four bytes each, and PCM16, all little-endian; `undefined` for anything else. Copies what it keeps. */
export function recogniseAudio(data: Buffer): PageAudio | undefined {
  if (data.length < 10 || data.length % 2 !== 0) return undefined;
  const sampleRate = data.readUInt32LE(4);
  if (sampleRate < 8_000 || sampleRate > 192_000) return undefined;
  return { number: data.readUInt32LE(0), frame: { samples: decodePcm16(data.subarray(8)), sampleRate, channels: 1 } };
}

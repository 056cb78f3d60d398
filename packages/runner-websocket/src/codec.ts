import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { type AudioFrame, decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import { type Frame, FrameSchema } from "./generated/frames_pb.ts";

/** What a caller can send that means something to a bot. */
export type WireFrame =
  | { readonly kind: "audio"; readonly audio: AudioFrame }
  | { readonly kind: "message"; readonly message: unknown };

/** Reads what one caller sends. */
export interface Decoder {
  /** The frame in one WebSocket message, or `undefined`, counted. Never throws, whatever the bytes. Copies what it keeps. */
  decode(data: Uint8Array, isBinary: boolean): WireFrame | undefined;
  /** How many messages were dropped. */
  readonly dropped: number;
}

/** Hz. Sound cards and files know no rates beyond these: one is a mistake, or an attack on the resampler. */
const lowestRate = 1_000;
const highestRate = 192_000;
/** All but the last 500 ms of a longer frame would be dropped unread, at the price of resampling it. */
const longestFrameMs = 10_000;

/** Makes the decoder of one caller. `onDropped` hears why, for every dropped message. */
export function createDecoder(onDropped: (reason: string) => void): Decoder {
  let dropped = 0;

  function drop(reason: string): undefined {
    dropped += 1;
    onDropped(reason);
  }

  function decode(data: Uint8Array, isBinary: boolean): WireFrame | undefined {
    if (!isBinary) return drop("a text message: frames are binary");
    const frame = recogniseFrame(data);
    if (frame?.case === "audio") {
      const { audio: bytes, sampleRate, numChannels: channels } = frame.value;
      const fault = faultOf(bytes.byteLength, sampleRate, channels);
      if (fault !== undefined) return drop(fault);
      return { kind: "audio", audio: { samples: decodePcm16(bytes), sampleRate, channels } };
    }
    if (frame?.case === "message") {
      const message = recogniseJson(frame.value.data);
      return message === undefined ? drop("a message that is not JSON") : { kind: "message", message };
    }
    return drop(
      frame?.case === undefined
        ? "bytes that are no frame"
        : `a frame of kind ${frame.case}: callers send audio and message`,
    );
  }

  return {
    decode,
    get dropped() {
      return dropped;
    },
  };
}

/** One frame of the bot's voice. */
export function encodeAudio({ samples, sampleRate, channels }: AudioFrame): Uint8Array {
  return encode({ case: "audio", value: { audio: encodePcm16(samples), sampleRate, numChannels: channels } });
}

/** One app message. Throws a TypeError on what JSON cannot say. */
export function encodeMessage(message: unknown): Uint8Array {
  const data = JSON.stringify(message) as string | undefined;
  if (data === undefined) throw new TypeError(`JSON cannot say ${typeof message}.`);
  return encode({ case: "message", value: { data } });
}

/** Says that what was sent and not heard yet is void. */
export function encodeInterruption(): Uint8Array {
  return encode({ case: "interruption", value: {} });
}

function encode(frame: NonNullable<MessageInitShape<typeof FrameSchema>["frame"]>): Uint8Array {
  return toBinary(FrameSchema, create(FrameSchema, { frame }));
}

function recogniseFrame(data: Uint8Array): Frame["frame"] | undefined {
  try {
    return fromBinary(FrameSchema, data, { readUnknownFields: false }).frame;
  } catch {
    return undefined;
  }
}

function recogniseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function faultOf(byteLength: number, sampleRate: number, channels: number): string | undefined {
  if (sampleRate < lowestRate || sampleRate > highestRate) {
    return `audio at ${sampleRate} Hz: ${lowestRate} to ${highestRate} Hz are taken`;
  }
  if (channels !== 1 && channels !== 2) return `audio of ${channels} channels: 1 and 2 are taken`;
  if (byteLength === 0) return "audio without samples";
  // Half a sample means that the bytes were cut somewhere else than thought: what follows the cut would be noise.
  if (byteLength % (2 * channels) !== 0) return "audio that ends inside a sample";
  if ((byteLength / 2 / channels / sampleRate) * 1000 > longestFrameMs)
    return `audio of more than ${longestFrameMs} ms`;
  return undefined;
}

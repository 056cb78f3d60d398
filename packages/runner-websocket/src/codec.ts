import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { type AudioFrame, decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import { parseJson } from "@pipecat-ts/runner-core";
import { type Frame, FrameSchema } from "./generated/frames_pb.ts";
import type { Image } from "./image.ts";
import { type EvalRequest, isRTVI, parseText, readEvalImage } from "./rtvi-json.ts";

/** What a caller sends. */
export type WireFrame =
  | { readonly kind: "audio"; readonly audio: AudioFrame }
  | { readonly kind: "message"; readonly message: unknown }
  /** An eval harness ends the call. */
  | { readonly kind: "evalCancel" }
  /** An eval harness sends the picture that the bot sees. */
  | { readonly kind: "evalImage"; readonly image: Image };

/** Decodes the messages of one caller, whose first message decides the format: binary, or text with an RTVI message. */
export interface Decoder {
  /** Undefined until the first message. */
  readonly format: "protobuf" | "json" | undefined;
  /** What the eval harness asks for, if the caller is one. */
  readonly evals: EvalRequest | undefined;
  /** Decodes one WebSocket message, or counts it and returns `undefined`. Never throws. Copies what it keeps. */
  decode(data: Uint8Array, isBinary: boolean): WireFrame | undefined;
  /** Number of dropped messages. */
  readonly dropped: number;
}

/** In Hz. Other rates are a mistake, or an attack on the resampler. */
const lowestRate = 1_000;
const highestRate = 192_000;
/** All but the last 500 ms of a longer frame would be dropped after resampling. */
const longestFrameMs = 10_000;
/** Fields of a message in both levels. Pipecat's clients send 4 to 7; 1 MiB of empty fields takes 50 ms to decode. */
const maxFields = 32;
/** The highest field number of `Frame` whose message has fields of its own. */
const lastFrameKind = 4;

/** The decoder of one caller. `onDropped` receives the reason for every dropped message. */
export function createDecoder(onDropped: (reason: string) => void): Decoder {
  let dropped = 0;
  let format: Decoder["format"];
  let evals: EvalRequest | undefined;

  function drop(reason: string): undefined {
    dropped += 1;
    onDropped(reason);
  }

  function decode(data: Uint8Array, isBinary: boolean): WireFrame | undefined {
    if (format === "json") return isBinary ? drop("binary message instead of text") : decodeText(data);
    if (isBinary) {
      format = "protobuf";
      return decodeBinary(data);
    }
    return format === undefined ? decodeText(data) : drop("text message instead of a binary frame");
  }

  function decodeText(data: Uint8Array): WireFrame | undefined {
    const frame = parseText(Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString());
    if (frame.kind === "fault") return drop(`text message is ${frame.fault}`);
    const isFirst = format === undefined;
    if (isFirst && frame.kind === "message" && !isRTVI(frame.message))
      return drop("text message that is not an RTVI message");
    format = "json";
    switch (frame.kind) {
      case "rawAudio":
        return decodeAudio(frame.bytes, frame.sampleRate, frame.channels);
      case "evalConnect":
        if (isFirst) evals = frame.request;
        return undefined;
      case "evalCancel":
        return evals ? { kind: "evalCancel" } : { kind: "message", message: frame.message };
      case "evalImage": {
        if (evals === undefined) return { kind: "message", message: frame.message };
        const image = readEvalImage(frame.message);
        return image ? { kind: "evalImage", image } : drop("eval-image that is not a PNG, JPEG or WebP file in base64");
      }
      default:
        return frame;
    }
  }

  function decodeAudio(bytes: Uint8Array, sampleRate: number, channels: number): WireFrame | undefined {
    const fault = faultOf(bytes.byteLength, sampleRate, channels);
    if (fault !== undefined) return drop(fault);
    return { kind: "audio", audio: { samples: decodePcm16(bytes), sampleRate, channels } };
  }

  function decodeBinary(data: Uint8Array): WireFrame | undefined {
    const frame = recognizeFrame(data);
    if (frame?.case === "audio") {
      const { audio, sampleRate, numChannels } = frame.value;
      return decodeAudio(withoutWavHeader(audio), sampleRate, numChannels);
    }
    if (frame?.case === "message") {
      const { value, fault } = parseJson(frame.value.data);
      return fault === undefined ? { kind: "message", message: value } : drop(`message is ${fault}`);
    }
    return drop(frame?.case === undefined ? "not a frame" : `frame of kind ${frame.case} instead of audio or message`);
  }

  return {
    decode,
    get format() {
      return format;
    },
    get evals() {
      return evals;
    },
    get dropped() {
      return dropped;
    },
  };
}

/** The first byte of a frame with audio: field 2, a message. */
const audioTag = 0x12;
/** Audio and pictures as RTVI messages, in both directions. */
const mediaType = /"type"\s*:\s*"(?:raw-audio(?:-batch)?|eval-bot-audio|eval-image)"/;

/** Whether a message, in either direction, carries audio or a picture. */
export function isMedia(message: string | Uint8Array): boolean {
  return typeof message === "string" ? mediaType.test(message) : message[0] === audioTag;
}

/** One frame of the bot's audio. */
export function encodeAudio({ samples, sampleRate, channels }: AudioFrame): Uint8Array {
  return encode({ case: "audio", value: { audio: encodePcm16(samples), sampleRate, numChannels: channels } });
}

/** One app message as text. Throws a TypeError for values that JSON cannot represent. */
export function encodeText(message: unknown): string {
  const data = JSON.stringify(message) as string | undefined;
  if (data === undefined) throw new TypeError(`JSON cannot represent ${typeof message}.`);
  return data;
}

/** One app message. Throws a TypeError for values that JSON cannot represent. */
export function encodeMessage(message: unknown): Uint8Array {
  return encode({ case: "message", value: { data: encodeText(message) } });
}

/** Tells the client to drop audio that it has not played. */
export function encodeInterruption(): Uint8Array {
  return encode({ case: "interruption", value: {} });
}

function encode(frame: NonNullable<MessageInitShape<typeof FrameSchema>["frame"]>): Uint8Array {
  return toBinary(FrameSchema, create(FrameSchema, { frame }));
}

function recognizeFrame(data: Uint8Array): Frame["frame"] | undefined {
  try {
    if (countFields(data) > maxFields) return undefined;
    return fromBinary(FrameSchema, data, { readUnknownFields: false }).frame;
  } catch {
    return undefined;
  }
}

/** Counts until `maxFields` is exceeded. Groups, which proto3 does not have, count as too many. Throws on malformed bytes. */
function countFields(data: Uint8Array, inner = false): number {
  const reader = new BinaryReader(data);
  let fields = 0;
  while (reader.pos < reader.len && fields <= maxFields) {
    const [number, type] = reader.tag();
    fields += type === WireType.StartGroup ? maxFields + 1 : 1;
    if (type === WireType.LengthDelimited && !inner && number <= lastFrameKind)
      fields += countFields(reader.bytes(), true);
    else if (type !== WireType.StartGroup) reader.skip(type);
  }
  return fields;
}

/** The size of the header of a WAV file as Python's `wave` module writes it. */
const wavHeaderBytes = 44;

/**
 * The PCM of an audio frame. `WebsocketClientTransport` of Pipecat 1.14 puts a WAV file into each frame by default
 * (`add_wav_header` in https://github.com/pipecat-ai/pipecat, `transports/websocket/client.py`): the header would be a click.
 */
function withoutWavHeader(audio: Uint8Array): Uint8Array {
  const header = Buffer.from(audio.buffer, audio.byteOffset, Math.min(audio.byteLength, wavHeaderBytes));
  const isWav = /^RIFF.{4}WAVEfmt .{20}data.{4}$/s.test(header.toString("latin1"));
  return isWav ? audio.subarray(wavHeaderBytes) : audio;
}

function faultOf(byteLength: number, sampleRate: number, channels: number): string | undefined {
  if (sampleRate < lowestRate || sampleRate > highestRate) {
    return `audio at ${sampleRate} Hz instead of ${lowestRate} to ${highestRate} Hz`;
  }
  if (channels !== 1 && channels !== 2) return `audio with ${channels} channels instead of 1 or 2`;
  if (byteLength === 0) return "audio without samples";
  // Half a sample means that the bytes were cut in the wrong place: the rest would be noise.
  if (byteLength % (2 * channels) !== 0) return "audio ends inside a sample";
  if ((byteLength / 2 / channels / sampleRate) * 1000 > longestFrameMs)
    return `audio frame longer than ${longestFrameMs} ms`;
  return undefined;
}

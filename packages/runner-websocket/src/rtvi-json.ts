import { type AudioFrame, encodePcm16 } from "@pipecat-ts/audio";
import { parseJson } from "@pipecat-ts/runner-core";
import { type Image, parseImage } from "./image.ts";

/**
 * RTVI as JSON text, which Pipecat's `RTVIClientTransport` and eval harness speak instead of protobuf. The caller's audio comes in
 * `raw-audio` messages, and the bot's audio is sent to harnesses that ask for it, in `eval-bot-audio`. Field names: Pipecat 1.14,
 * `pipecat/evals/serializer.py` and `pipecat/serializers/rtvi_client.py`.
 */
export type JsonFrame =
  | { readonly kind: "message"; readonly message: unknown }
  /** Audio that is not checked yet. */
  | { readonly kind: "rawAudio"; readonly bytes: Buffer; readonly sampleRate: number; readonly channels: number }
  | { readonly kind: "evalConnect"; readonly request: EvalRequest }
  | { readonly kind: "evalCancel"; readonly message: unknown }
  | { readonly kind: "evalImage"; readonly message: unknown };

/** What an eval harness asks of a call. */
export interface EvalRequest {
  /** The bot must not speak. */
  readonly skipTts: boolean;
  /** The bot's audio is sent to the harness. */
  readonly captureBotAudio: boolean;
}

/** Pieces in one message. The Daily client sends at most 10. */
const maxPieces = 500;

/** Parses one text message, or returns what is wrong with it. Never throws. */
export function parseText(text: string): JsonFrame | { readonly kind: "fault"; readonly fault: string } {
  const { value: message, fault } = parseJson(text);
  if (fault !== undefined) return { kind: "fault", fault };
  if (!isRTVI(message)) return { kind: "message", message };
  const data = Object(message.data);
  if (message.type === "raw-audio" || message.type === "raw-audio-batch") return parseRawAudio(data);
  if (message.type === "client-message" && data.t === "eval-connect") {
    const { skip_tts, capture_bot_audio } = Object(data.d);
    return {
      kind: "evalConnect",
      request: { skipTts: skip_tts === true, captureBotAudio: capture_bot_audio === true },
    };
  }
  if (message.type === "client-message" && data.t === "eval-cancel") return { kind: "evalCancel", message };
  if (message.type === "client-message" && data.t === "eval-image") return { kind: "evalImage", message };
  return { kind: "message", message };
}

/** Whether a message has RTVI's label. */
export function isRTVI(message: unknown): message is { readonly type?: unknown; readonly data?: unknown } {
  return Object(message).label === "rtvi-ai";
}

/** Like Pipecat's Python runner, accepts either field in either message and prefers the batch. */
function parseRawAudio(data: { readonly [field: string]: unknown }): ReturnType<typeof parseText> {
  const { base64Audio, base64AudioBatch, sampleRate, numChannels: channels } = data;
  const batch: readonly unknown[] = Array.isArray(base64AudioBatch) ? base64AudioBatch : [];
  if (batch.length > maxPieces) return { kind: "fault", fault: `audio with more than ${maxPieces} pieces` };
  const pieces = batch.length > 0 ? batch : [base64Audio];
  if (!pieces.every(isBase64) || !isInteger(sampleRate) || !isInteger(channels))
    return { kind: "fault", fault: "raw-audio with missing or malformed fields" };
  return {
    kind: "rawAudio",
    bytes: Buffer.concat(pieces.map((piece) => Buffer.from(piece, "base64"))),
    sampleRate,
    channels,
  };
}

/** The image of an `eval-image`. Its `format` is only a guess from a file name, so that the bytes decide. */
export function readEvalImage(message: unknown): Image | undefined {
  const { image } = Object(Object(Object(message).data).d);
  return isBase64(image) ? parseImage(Buffer.from(image, "base64")) : undefined;
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value);
}

function isBase64(piece: unknown): piece is string {
  return typeof piece === "string" && /^[A-Za-z0-9+/]*={0,2}$/.test(piece);
}

/** One frame of the bot's audio for an eval harness. Mono, as all of the bot's audio. */
export function encodeBotAudio({ samples, sampleRate }: AudioFrame): string {
  const audio = Buffer.from(encodePcm16(samples).buffer).toString("base64");
  return JSON.stringify({ label: "rtvi-ai", type: "eval-bot-audio", data: { audio, sampleRate } });
}

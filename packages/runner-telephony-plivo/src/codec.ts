import { decodeMulaw, encodeMulaw, encodePcm16 } from "@pipecat-ts/audio";
import { type CallData, RunnerError } from "@pipecat-ts/runner-core";
import {
  bytesIn,
  type CallCodec,
  type CallEvent,
  createPcmReader,
  dtmfEvent,
  type JsonObject,
  numberIn,
  objectIn,
  playedEvent,
  present,
  textIn,
} from "@pipecat-ts/runner-telephony";
import { readExtraHeaders } from "./messages.ts";

/** The call that Plivo announces by its first message, `start`. */
export function recogniseCall(message: JsonObject): CallData | undefined {
  const start = objectIn(message, "start");
  const [streamId, callId] = [textIn(start, "streamId"), textIn(start, "callId")];
  if (message.event !== "start" || streamId === undefined || callId === undefined) return undefined;
  const body = readExtraHeaders(textIn(message, "extra_headers"));
  return {
    streamId,
    callId,
    ...present({ accountId: textIn(start, "accountId"), body, from: body?.from, to: body?.to }),
  };
}

/** How the audio of one call is in bytes. */
interface Format {
  readonly contentType: "audio/x-mulaw" | "audio/x-l16";
  readonly sampleRate: number;
  readonly read: (bytes: Buffer) => Int16Array;
  readonly write: (samples: Int16Array) => Uint8Array<ArrayBuffer>;
}

/** In the format that the stream was announced with: a document that names none gets 16-bit PCM. Throws MEDIA_FORMAT_UNSUPPORTED. */
export function createCodec(start: JsonObject, { streamId }: CallData): CallCodec {
  const { contentType, sampleRate, read, write } = readFormat(start);
  const head = `{"event":"playAudio","media":{"contentType":"${contentType}","sampleRate":${sampleRate},"payload":"`;

  function decodeMedia(media: JsonObject): CallEvent | undefined {
    const bytes = bytesIn(media, "payload");
    if (textIn(media, "track")?.startsWith("outbound")) return { kind: "nothing" };
    return bytes && { kind: "audio", samples: read(bytes), atMs: numberIn(media, "timestamp") };
  }

  return {
    callerSampleRate: sampleRate,
    botSampleRate: sampleRate,
    decode(message) {
      switch (message.event) {
        case "media":
          return decodeMedia(objectIn(message, "media"));
        case "dtmf":
          return dtmfEvent(textIn(objectIn(message, "dtmf"), "digit"));
        case "playedStream":
        case "played":
          return playedEvent(textIn(message, "name"));
        case "clearedAudio":
          return { kind: "nothing" };
        default:
          return undefined;
      }
    },
    encodeAudio: (samples) => `${head}${Buffer.from(write(samples).buffer).toString("base64")}"}}`,
    encodeMark: (name) => JSON.stringify({ event: "checkpoint", streamId, name }),
    encodeClear: () => JSON.stringify({ event: "clearAudio", streamId }),
    // It dials no waits.
    encodeDtmf: (digits) => JSON.stringify({ event: "sendDTMF", dtmf: digits.replaceAll("w", "") }),
  };
}

function readFormat(message: JsonObject): Format {
  const format = objectIn(objectIn(message, "start"), "mediaFormat");
  const contentType = (textIn(format, "encoding") ?? "audio/x-l16").split(";")[0];
  const sampleRate = numberIn(format, "sampleRate") ?? 8_000;
  if (contentType === "audio/x-mulaw" && sampleRate === 8_000) {
    return { contentType, sampleRate, read: decodeMulaw, write: encodeMulaw };
  }
  // Little-endian, as all peers have it; the documentation is silent.
  if (contentType === "audio/x-l16" && (sampleRate === 8_000 || sampleRate === 16_000)) {
    return { contentType, sampleRate, read: createPcmReader(), write: encodePcm16 };
  }
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call has ${contentType} at ${sampleRate} Hz.`, {
    fix: 'Give <Stream> the contentType "audio/x-mulaw;rate=8000" or "audio/x-l16;rate=16000".',
  });
}

import { decodeMulaw, encodeMulaw, encodePcm16 } from "@pipecat-ts/audio";
import { type CallData, RunnerError } from "@pipecat-ts/runner-core";
import {
  bytesIn,
  type CallCodec,
  type CallEvent,
  type CarrierIds,
  createPcmReader,
  dtmfEvent,
  type JsonObject,
  numberIn,
  objectIn,
  playedEvent,
  present,
  textIn,
} from "@pipecat-ts/runner-telephony";

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** UUIDs, as in the examples of https://www.plivo.com/docs/voice/audio-streaming/audio-streaming */
export const ids: CarrierIds = { call: uuid, stream: uuid };

/** The messages that may arrive before `start`. */
export const earlyEvents: readonly string[] = ["media", "dtmf"];

/**
 * The call of Plivo's `start` message, which is the first one. Plivo sends no message at the end: it closes the socket.
 * https://www.plivo.com/docs/voice/audio-streaming/audio-streaming
 */
export function recognizeCall(message: JsonObject): CallData | undefined {
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

/** The `extraHeaders` of the XML, which arrive as `k=v;k2=v2`; `undefined` when there are none. */
function readExtraHeaders(text: string | undefined): Readonly<Record<string, string>> | undefined {
  const pairs = (text ?? "")
    .split(/[;,]/)
    .map((pair) => pair.trim().split(/=(.*)/s))
    .filter((pair): pair is [string, string] => Boolean(pair[0]) && pair[1] !== undefined);
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

/** The audio format of one call. */
interface Format {
  readonly contentType: "audio/x-mulaw" | "audio/x-l16";
  readonly sampleRate: number;
  readonly read: (bytes: Buffer) => Int16Array;
  readonly write: (samples: Int16Array) => Uint8Array<ArrayBuffer>;
}

/** The format of the start message. XML without a `contentType` gets 16-bit PCM. Throws MEDIA_FORMAT_UNSUPPORTED. */
export function createCodec(start: JsonObject, { streamId }: CallData): CallCodec {
  const { contentType, sampleRate, read, write } = readFormat(start);
  const head = `{"event":"playAudio","media":{"contentType":"${contentType}","sampleRate":${sampleRate},"payload":"`;

  function decodeMedia(media: JsonObject): CallEvent | undefined {
    const bytes = bytesIn(media, "payload");
    if (textIn(media, "track")?.startsWith("outbound")) return { kind: "nothing" };
    return bytes && { kind: "audio", samples: read(bytes), timestampMs: numberIn(media, "timestamp") };
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
    // Plivo has no pauses in DTMF.
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
  // Little-endian, as in other implementations; Plivo does not document it.
  if (contentType === "audio/x-l16" && (sampleRate === 8_000 || sampleRate === 16_000)) {
    return { contentType, sampleRate, read: createPcmReader(), write: encodePcm16 };
  }
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call uses ${contentType} at ${sampleRate} Hz.`, {
    fix: 'Set the contentType of <Stream> to "audio/x-mulaw;rate=8000" or "audio/x-l16;rate=16000".',
  });
}

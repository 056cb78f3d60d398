import { encodePcm16 } from "@pipecat-ts/audio";
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
  textsIn,
} from "@pipecat-ts/runner-telephony";

/**
 * Letters and digits, as in the examples of https://developer.exotel.com/docs/agentstream/websocket-protocol, which do not state
 * their number.
 */
export const ids: CarrierIds = { call: /^[\w-]{1,64}$/, stream: /^[\w-]{1,64}$/ };

/** The messages that may arrive before `start`. */
export const earlyEvents: readonly string[] = ["connected", "media", "dtmf"];

/**
 * The call of Exotel's `start` message. Values that the documentation shows as texts may be numbers.
 * https://developer.exotel.com/docs/agentstream/stream-voicebot-applet
 */
export function recognizeCall(message: JsonObject): CallData | undefined {
  const start = objectIn(message, "start");
  const [streamId, callId] = [textIn(start, "stream_sid"), textIn(start, "call_sid")];
  const accountSid = textIn(start, "account_sid");
  if (message.event !== "start" || streamId === undefined || callId === undefined || accountSid === undefined) {
    return undefined;
  }
  const body = textsIn(start, "custom_parameters");
  return { streamId, callId, accountSid, ...present({ from: textIn(start, "from"), to: textIn(start, "to"), body }) };
}

/**
 * The duration of a message at each sample rate. Its size must be a multiple of 320 bytes and at least 3,200, or the audio
 * has gaps. The documentation says 100 ms, which is right at 16,000 Hz; at 8,000 Hz it takes 200 ms.
 */
const frameMsAt: Readonly<Record<number, number>> = { 8000: 200, 16000: 100, 24000: 100 };

/** 16-bit little-endian PCM at the sample rate of the start message. Throws MEDIA_FORMAT_UNSUPPORTED. */
export function createCodec(start: JsonObject, { streamId }: CallData): CallCodec {
  const { sampleRate, frameMs } = readFormat(start);
  const read = createPcmReader();
  const streamSid = JSON.stringify(streamId);
  const head = `{"event":"media","stream_sid":${streamSid},"media":{"payload":"`;

  function decodeMedia(media: JsonObject): CallEvent | undefined {
    const bytes = bytesIn(media, "payload");
    if (textIn(media, "track")?.startsWith("outbound")) return { kind: "nothing" };
    return bytes && { kind: "audio", samples: read(bytes), timestampMs: numberIn(media, "timestamp") };
  }

  return {
    callerSampleRate: sampleRate,
    botSampleRate: sampleRate,
    frameMs,
    sendAheadMs: 1.5 * frameMs,
    decode(message) {
      switch (message.event) {
        case "media":
          return decodeMedia(objectIn(message, "media"));
        case "dtmf":
          return dtmfEvent(textIn(objectIn(message, "dtmf"), "digit"));
        case "mark":
          return playedEvent(textIn(objectIn(message, "mark"), "name"));
        case "stop":
          return { kind: "stop" };
        case "connected":
        case "clear":
          return { kind: "nothing" };
        default:
          return undefined;
      }
    },
    encodeAudio: (samples) => `${head}${Buffer.from(encodePcm16(samples).buffer).toString("base64")}"}}`,
    encodeMark: (name) => JSON.stringify({ event: "mark", stream_sid: streamId, mark: { name } }),
    encodeClear: () => `{"event":"clear","stream_sid":${streamSid}}`,
  };
}

function readFormat(message: JsonObject): { readonly sampleRate: number; readonly frameMs: number } {
  const format = objectIn(objectIn(message, "start"), "media_format");
  // PCM has several names: base64, raw, audio/x-raw.
  const encoding = textIn(format, "encoding") ?? "";
  const sampleRate = numberIn(format, "sample_rate") ?? 8_000;
  const frameMs = frameMsAt[sampleRate];
  if (frameMs !== undefined && !/[mau]-?law/i.test(encoding)) return { sampleRate, frameMs };
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call uses ${encoding || "audio"} at ${sampleRate} Hz.`, {
    fix: "Set the Voicebot applet to 16-bit PCM at 8000, 16000 or 24000 Hz.",
  });
}

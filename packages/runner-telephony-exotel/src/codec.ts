import { encodePcm16 } from "@pipecat-ts/audio";
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
  textsIn,
} from "@pipecat-ts/runner-telephony";

/** The call that Exotel announces by its message `start`. */
export function recogniseCall(message: JsonObject): CallData | undefined {
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
 * How long a message is, by rate: a multiple of 320 bytes, and 3,200 at least, below which the voice breaks up. The
 * documentation calls that 100 ms, which it is at 16,000 Hz; at 8,000 Hz it is 200.
 */
const frameMsAt: Readonly<Record<number, number>> = { 8000: 200, 16000: 100, 24000: 100 };

/** 16-bit PCM, little-endian, at the rate that the call was announced with. Throws MEDIA_FORMAT_UNSUPPORTED. */
export function createCodec(start: JsonObject, { streamId }: CallData): CallCodec {
  const { sampleRate, frameMs } = readFormat(start);
  const read = createPcmReader();
  const streamSid = JSON.stringify(streamId);
  const head = `{"event":"media","stream_sid":${streamSid},"media":{"payload":"`;

  function decodeMedia(media: JsonObject): CallEvent | undefined {
    const bytes = bytesIn(media, "payload");
    if (textIn(media, "track")?.startsWith("outbound")) return { kind: "nothing" };
    return bytes && { kind: "audio", samples: read(bytes), atMs: numberIn(media, "timestamp") };
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
  const encoding = textIn(format, "encoding") ?? "";
  const sampleRate = numberIn(format, "sample_rate") ?? 8_000;
  const frameMs = frameMsAt[sampleRate];
  if (frameMs !== undefined && !/[mau]-?law/i.test(encoding)) return { sampleRate, frameMs };
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call has ${encoding || "audio"} at ${sampleRate} Hz.`, {
    fix: "Set the Voicebot applet to 16-bit PCM at 8000, 16000 or 24000 Hz.",
  });
}

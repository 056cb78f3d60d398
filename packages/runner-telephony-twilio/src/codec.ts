import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import { type CallData, RunnerError } from "@pipecat-ts/runner-core";
import {
  bytesIn,
  type CallCodec,
  type CallEvent,
  type CarrierIds,
  dtmfEvent,
  type JsonObject,
  numberIn,
  objectIn,
  playedEvent,
  present,
  textIn,
  textsIn,
} from "@pipecat-ts/runner-telephony";

/** Two letters and 32 hexadecimal digits: https://www.twilio.com/docs/glossary/what-is-a-sid */
export const ids: CarrierIds = { call: /^CA[0-9a-f]{32}$/i, stream: /^MZ[0-9a-f]{32}$/i };

/** The messages that may arrive before `start`. */
export const earlyEvents: readonly string[] = ["connected", "media", "dtmf"];

/**
 * The call of Twilio's `start` message. A web page that acts as a phone sends the two ids only.
 * https://www.twilio.com/docs/voice/media-streams/websocket-messages
 */
export function recognizeCall(message: JsonObject): CallData | undefined {
  const start = objectIn(message, "start");
  const [streamId, callId] = [textIn(start, "streamSid"), textIn(start, "callSid")];
  if (message.event !== "start" || streamId === undefined || callId === undefined) return undefined;
  const body = textsIn(start, "customParameters");
  return {
    streamId,
    callId,
    ...present({ accountSid: textIn(start, "accountSid"), body, from: body?.from_number, to: body?.to_number }),
  };
}

/** Mu-law at the sample rate of the start message, 8,000 Hz by default. Throws MEDIA_FORMAT_UNSUPPORTED. */
export function createCodec(start: JsonObject, { streamId }: CallData): CallCodec {
  const sampleRate = readFormat(start);
  const streamSid = JSON.stringify(streamId);
  const audioHead = `{"event":"media","streamSid":${streamSid},"media":{"payload":"`;

  return {
    callerSampleRate: sampleRate,
    botSampleRate: sampleRate,
    decode,
    encodeAudio: (samples) => `${audioHead}${Buffer.from(encodeMulaw(samples).buffer).toString("base64")}"}}`,
    encodeMark: (name) => JSON.stringify({ event: "mark", streamSid: streamId, mark: { name } }),
    encodeClear: () => `{"event":"clear","streamSid":${streamSid}}`,
  };
}

function decode(message: JsonObject): CallEvent | undefined {
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
      return { kind: "nothing" };
    default:
      return undefined;
  }
}

function decodeMedia(media: JsonObject): CallEvent | undefined {
  const bytes = bytesIn(media, "payload");
  // With `both_tracks` in a document of your own, Twilio also sends the bot's audio.
  if (media.track === "outbound") return { kind: "nothing" };
  return bytes && { kind: "audio", samples: decodeMulaw(bytes), timestampMs: numberIn(media, "timestamp") };
}

function readFormat(message: JsonObject): number {
  const format = objectIn(objectIn(message, "start"), "mediaFormat");
  const encoding = textIn(format, "encoding") ?? "audio/x-mulaw";
  const sampleRate = numberIn(format, "sampleRate") ?? 8_000;
  if (encoding === "audio/x-mulaw" && (sampleRate === 8_000 || sampleRate === 16_000)) return sampleRate;
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call uses ${encoding} at ${sampleRate} Hz.`, {
    fix: 'Remove the attributes "audioFormat" and "sampleRate" from <Stream>: Twilio then sends audio/x-mulaw at 8000 Hz.',
  });
}

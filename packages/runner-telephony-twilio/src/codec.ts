import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import { type CallData, RunnerError } from "@pipecat-ts/runner-core";
import {
  bytesIn,
  type CallCodec,
  type CallEvent,
  dtmfEvent,
  type JsonObject,
  numberIn,
  objectIn,
  playedEvent,
  present,
  textIn,
  textsIn,
} from "@pipecat-ts/runner-telephony";
import { isStart } from "./messages.ts";

/** The call that Twilio announces by its message `start`. */
export function recogniseCall(message: JsonObject): CallData | undefined {
  const start = objectIn(message, "start");
  const [streamId, callId] = [textIn(start, "streamSid"), textIn(start, "callSid")];
  if (!isStart(message) || streamId === undefined || callId === undefined) return undefined;
  const body = textsIn(start, "customParameters");
  return {
    streamId,
    callId,
    ...present({ accountSid: textIn(start, "accountSid"), body, from: body?.from_number, to: body?.to_number }),
  };
}

/** Mu-law at the rate that the call was announced with, 8,000 Hz where it was not. Throws MEDIA_FORMAT_UNSUPPORTED. */
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
  // `both_tracks` of a hand-written <Start> has the bot's own voice come back.
  if (media.track === "outbound") return { kind: "nothing" };
  return bytes && { kind: "audio", samples: decodeMulaw(bytes), atMs: numberIn(media, "timestamp") };
}

function readFormat(message: JsonObject): number {
  const format = objectIn(objectIn(message, "start"), "mediaFormat");
  const encoding = textIn(format, "encoding") ?? "audio/x-mulaw";
  const sampleRate = numberIn(format, "sampleRate") ?? 8_000;
  if (encoding === "audio/x-mulaw" && (sampleRate === 8_000 || sampleRate === 16_000)) return sampleRate;
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call has ${encoding} at ${sampleRate} Hz.`, {
    fix: 'Leave the attributes "audioFormat" and "sampleRate" of <Stream> out: Twilio then sends audio/x-mulaw at 8000 Hz.',
  });
}

import { decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw } from "@pipecat-ts/audio";
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
import { errorTitle } from "./messages.ts";
import type { TelnyxOptions } from "./options.ts";

/** The call that Telnyx announces by its message `start`. */
export function recogniseCall(message: JsonObject): CallData | undefined {
  const start = objectIn(message, "start");
  const [streamId, callId] = [textIn(message, "stream_id"), textIn(start, "call_control_id")];
  if (message.event !== "start" || streamId === undefined || callId === undefined) return undefined;
  return {
    streamId,
    callId,
    ...present({
      from: textIn(start, "from"),
      to: textIn(start, "to"),
      callSessionId: textIn(start, "call_session_id"),
      clientState: textIn(start, "client_state"),
      body: textsIn(start, "custom_parameters"),
    }),
  };
}

type Law = "PCMU" | "PCMA";

/** Older streams name the formats as MIME does. */
const laws: Readonly<Record<string, Law>> = {
  PCMU: "PCMU",
  PCMA: "PCMA",
  "audio/x-mulaw": "PCMU",
  "audio/x-alaw": "PCMA",
};

/**
 * Mu-law or A-law at 8,000 Hz: what comes is in the format of the call's leg, A-law in most of Europe and India, and what
 * is sent in that of the answer document. Throws MEDIA_FORMAT_UNSUPPORTED.
 */
export function createCodec(start: JsonObject, _call: CallData, options: TelnyxOptions): CallCodec {
  const decodeLaw = readLaw(start) === "PCMA" ? decodeAlaw : decodeMulaw;
  const encodeLaw = options.codec === "PCMA" ? encodeAlaw : encodeMulaw;

  function decodeMedia(media: JsonObject): CallEvent | undefined {
    const bytes = bytesIn(media, "payload");
    if (textIn(media, "track")?.startsWith("outbound")) return { kind: "nothing" };
    if (!bytes) return undefined;
    const order = numberIn(media, "chunk");
    return {
      kind: "audio",
      samples: decodeLaw(bytes),
      atMs: numberIn(media, "timestamp"),
      order: Number.isSafeInteger(order) ? order : undefined,
    };
  }

  return {
    callerSampleRate: 8_000,
    botSampleRate: 8_000,
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
        case "error":
          return { kind: "error", title: errorTitle(message) };
        case "connected":
          return { kind: "nothing" };
        default:
          return undefined;
      }
    },
    // Of 40 ms: Telnyx takes 20 ms at least.
    encodeAudio: (samples) =>
      `{"event":"media","media":{"payload":"${Buffer.from(encodeLaw(samples).buffer).toString("base64")}"}}`,
    encodeMark: (name) => JSON.stringify({ event: "mark", mark: { name } }),
    encodeClear: () => '{"event":"clear"}',
  };
}

function readLaw(message: JsonObject): Law {
  const format = objectIn(objectIn(message, "start"), "media_format");
  const encoding = textIn(format, "encoding") ?? "PCMU";
  const sampleRate = numberIn(format, "sample_rate") ?? 8_000;
  const law = Object.hasOwn(laws, encoding) ? laws[encoding] : undefined;
  if (law && sampleRate === 8_000) return law;
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call has ${encoding} at ${sampleRate} Hz.`, {
    fix: "PCMU and PCMA at 8000 Hz are spoken: allow no other codecs on the number's connection.",
  });
}

import { decodeAlaw, decodeMulaw, decodePcm16, encodeAlaw, encodeMulaw, encodePcm16 } from "@pipecat-ts/audio";
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
import { isWideband, type TelnyxOptions, wideSampleRate } from "./options.ts";
import { openOpus, opusFrameMs } from "./opus.ts";

/**
 * A version and base64, and a UUID, as in the examples of
 * https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
 */
export const ids: CarrierIds = {
  call: /^v\d:[\w+/=-]{16,128}$/,
  stream: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
};

/** The messages that may arrive before `start`. */
export const earlyEvents: readonly string[] = ["connected", "media", "dtmf", "error"];

/** Longest `client_state`, in characters. Telnyx documents no limit. */
const maxClientState = 8_192;

/**
 * The call of Telnyx's `start` message.
 * https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
 */
export function recognizeCall(message: JsonObject): CallData | undefined {
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
      clientState: textIn(start, "client_state", maxClientState),
      body: textsIn(start, "custom_parameters"),
    }),
  };
}

/** The codec of each name; older streams use the MIME types. */
const codecs: ReadonlyMap<string, TelnyxOptions["codec"]> = new Map([
  ["PCMU", "PCMU"],
  ["PCMA", "PCMA"],
  ["audio/x-mulaw", "PCMU"],
  ["audio/x-alaw", "PCMA"],
  ["L16", "L16"],
  ["OPUS", "OPUS"],
]);

/** The sample rates in Hz at which Telnyx may send each codec. */
const callerSampleRates: Readonly<Record<TelnyxOptions["codec"], readonly number[]>> = {
  PCMU: [8_000],
  PCMA: [8_000],
  L16: [8_000, wideSampleRate, 24_000],
  OPUS: [8_000, 12_000, 16_000, 24_000, 48_000],
};

/**
 * Mu-law or A-law at 8,000 Hz, 16-bit PCM (L16), or Opus. Telnyx sends the format of the start message: the one of the call's leg, which
 * is A-law in most of Europe and India, unless it can transcode. It receives the format of the webhook reply. Throws
 * MEDIA_FORMAT_UNSUPPORTED.
 */
export function createCodec(start: JsonObject, _call: CallData, options: TelnyxOptions): CallCodec {
  const { codec, sampleRate } = readFormat(start);
  const isSwapped = options.l16ByteOrder === "big-endian";
  const opus = codec === "OPUS" || options.codec === "OPUS" ? openOpus() : undefined;
  const decode = {
    PCMU: decodeMulaw,
    PCMA: decodeAlaw,
    L16: (bytes: Buffer) => swap(decodePcm16(bytes)),
    OPUS: undefined,
  }[codec];
  const encode = {
    PCMU: encodeMulaw,
    PCMA: encodeAlaw,
    L16: (samples: Int16Array) => encodePcm16(swap(samples)),
    OPUS: (samples: Int16Array) => opus?.encode(samples) ?? new Uint8Array(),
  }[options.codec];

  function swap(samples: Int16Array): Int16Array {
    return isSwapped ? samples.map((sample) => (sample << 8) | ((sample >> 8) & 0xff)) : samples;
  }

  function decodeMedia(media: JsonObject): CallEvent | undefined {
    const bytes = bytesIn(media, "payload");
    // With `both_tracks`, Telnyx also sends the bot's audio.
    if (textIn(media, "track")?.startsWith("outbound")) return { kind: "nothing" };
    if (!bytes) return undefined;
    const chunk = numberIn(media, "chunk");
    const order = {
      timestampMs: numberIn(media, "timestamp"),
      sequence: Number.isSafeInteger(chunk) ? chunk : undefined,
    };
    if (decode) return { kind: "audio", samples: decode(bytes), ...order };
    // An Opus decoder needs the packets in order, and Telnyx does not guarantee that they arrive in order.
    return { kind: "packet", decode: () => opus?.decode(bytes), ...order };
  }

  return {
    callerSampleRate: codec === "OPUS" ? wideSampleRate : sampleRate,
    botSampleRate: isWideband(options.codec) ? wideSampleRate : 8_000,
    ...(options.codec === "OPUS" && { frameMs: opusFrameMs }),
    ...(opus && { ready: opus.ready, close: opus.close }),
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
    // Telnyx rejects messages with less than 20 ms of audio.
    encodeAudio(samples) {
      const { buffer, byteOffset, byteLength } = encode(samples);
      return `{"event":"media","media":{"payload":"${Buffer.from(buffer, byteOffset, byteLength).toString("base64")}"}}`;
    },
    encodeMark: (name) => JSON.stringify({ event: "mark", mark: { name } }),
    encodeClear: () => '{"event":"clear"}',
  };
}

/** The title in either shape of error message. The same code has different meanings in the two. */
function errorTitle(message: JsonObject): string {
  return textIn(objectIn(message, "payload"), "title") ?? textIn(objectIn(message, "error"), "title") ?? "an error";
}

function readFormat(message: JsonObject): { readonly codec: TelnyxOptions["codec"]; readonly sampleRate: number } {
  const format = objectIn(objectIn(message, "start"), "media_format");
  const encoding = textIn(format, "encoding") ?? "PCMU";
  const sampleRate = numberIn(format, "sample_rate") ?? 8_000;
  const codec = codecs.get(encoding);
  if (codec && callerSampleRates[codec].includes(sampleRate)) return { codec, sampleRate };
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call uses ${encoding} at ${sampleRate} Hz.`, {
    fix: "Allow only PCMU and PCMA at 8000 Hz on the connection of the number, or request L16 or OPUS.",
  });
}

import { encodePcm16 } from "@pipecat-ts/audio";
import { type CallData, RunnerError } from "@pipecat-ts/runner-core";
import {
  type CallCodec,
  type CarrierIds,
  createPcmReader,
  dtmfEvent,
  type JsonObject,
  objectIn,
  playedEvent,
  present,
  textIn,
  textsIn,
} from "@pipecat-ts/runner-telephony";

const uuid = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;

/** UUIDs, also without hyphens, as in the examples of https://developer.vonage.com/en/voice/voice-api/webhook-reference */
export const ids: CarrierIds = { call: uuid, stream: uuid };

/** None: the first message is text and describes the call. */
export const earlyEvents: readonly string[] = [];

/**
 * The call of Vonage's first message, which has the `headers` of the NCCO's endpoint as fields. It does not name the call: the NCCO
 * puts its `uuid` there. Streams have no id of their own.
 * https://developer.vonage.com/en/voice/voice-api/concepts/websockets
 */
export function recognizeCall(message: JsonObject): CallData | undefined {
  const { event, uuid: _uuid, "content-type": _type, ...headers } = message;
  if (event !== "websocket:connected") return undefined;
  const callId = textIn(message, "uuid") ?? "";
  const body = textsIn({ headers }, "headers");
  return { streamId: callId, callId, ...present({ from: body?.from, to: body?.to, body }) };
}

/** 16-bit little-endian PCM in binary messages of 20 ms each, at the rate of the first message. Throws MEDIA_FORMAT_UNSUPPORTED. */
export function createCodec(connected: JsonObject): CallCodec {
  const sampleRate = readSampleRate(connected);
  const read = createPcmReader();
  return {
    callerSampleRate: sampleRate,
    botSampleRate: sampleRate,
    frameMs: 20,
    decode(message) {
      switch (message.event) {
        case "websocket:dtmf":
          return dtmfEvent(textIn(message, "digit"));
        case "websocket:notify":
          return playedEvent(textIn(objectIn(message, "payload"), "mark"));
        case "websocket:cleared":
          return { kind: "nothing" };
        default:
          return undefined;
      }
    },
    decodeBinary: (bytes) => ({ kind: "audio", samples: read(bytes) }),
    encodeAudio: encodePcm16,
    encodeMark: (mark) => JSON.stringify({ action: "notify", payload: { mark } }),
    encodeClear: () => '{"action":"clear"}',
  };
}

function readSampleRate(connected: JsonObject): number {
  const contentType = textIn(connected, "content-type") ?? "unknown audio";
  const rate = /^audio\/l16;\s*rate=(8000|16000|24000)$/i.exec(contentType)?.[1];
  if (rate !== undefined) return Number(rate);
  throw new RunnerError("MEDIA_FORMAT_UNSUPPORTED", `The call uses ${contentType}.`, {
    fix: 'Set the content-type of the WebSocket endpoint to "audio/l16;rate=8000", "audio/l16;rate=16000" or "audio/l16;rate=24000".',
  });
}

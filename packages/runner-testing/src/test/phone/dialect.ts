import type { CallData } from "@pipecat-ts/runner-core";

/** A message of a carrier during a call. */
export type CallEvent =
  | { readonly kind: "audio"; readonly mulaw: Uint8Array }
  | { readonly kind: "played"; readonly mark: string }
  | { readonly kind: "dtmf"; readonly digit: string }
  | { readonly kind: "stop" };

/** The messages of one carrier, as pure functions on JSON. They return `undefined` for unknown messages. */
export interface Dialect {
  /** The name of the carrier and its transport. */
  readonly name: string;
  /** The webhook parameter that identifies requests of this carrier. */
  readonly webhookField: string;
  /** The call that `message` announces. */
  parseStart(message: Json): CallData | undefined;
  parseEvent(message: Json): CallEvent | undefined;
  audio(call: CallData, mulaw: Uint8Array): Json;
  mark(call: CallData, mark: string): Json;
  clear(call: CallData): Json;
}

export type Json = Readonly<Record<string, unknown>>;

/** Sends `connected` before `start`, and names in camel case. */
export const acme: Dialect = {
  name: "acme",
  webhookField: "CallSid",
  parseStart({ event, start }) {
    const { streamSid, callSid, customParameters } = (start ?? {}) as Json;
    if (event !== "start" || typeof streamSid !== "string" || typeof callSid !== "string") return undefined;
    return { streamId: streamSid, callId: callSid, body: customParameters };
  },
  parseEvent(message) {
    const { media, mark, dtmf } = message as { readonly [part: string]: Json | undefined };
    if (message.event === "media") return { kind: "audio", mulaw: Buffer.from(String(media?.payload), "base64") };
    if (message.event === "mark") return { kind: "played", mark: String(mark?.name) };
    if (message.event === "dtmf") return { kind: "dtmf", digit: String(dtmf?.digit) };
    return message.event === "stop" ? { kind: "stop" } : undefined;
  },
  audio: ({ streamId }, mulaw) => ({ event: "media", streamSid: streamId, media: { payload: base64(mulaw) } }),
  mark: ({ streamId }, name) => ({ event: "mark", streamSid: streamId, mark: { name } }),
  clear: ({ streamId }) => ({ event: "clear", streamSid: streamId }),
};

/** Another carrier with the messages of acme, and a webhook of its own. */
export const acmeCompatible: Dialect = { ...acme, name: "ajax", webhookField: "AjaxCallId" };

/** Announces the call in its first message, with the numbers, and sends nothing at the end; names in snake case. */
export const bell: Dialect = {
  name: "bell",
  webhookField: "call_uuid",
  parseStart({ event, stream_id, start }) {
    const { call_uuid, from, to } = (start ?? {}) as Json;
    if (event !== "start" || typeof stream_id !== "string" || typeof call_uuid !== "string") return undefined;
    return { streamId: stream_id, callId: call_uuid, from: String(from), to: String(to) };
  },
  parseEvent(message) {
    if (message.event === "media") return { kind: "audio", mulaw: Buffer.from(String(message.payload), "base64") };
    if (message.event === "played") return { kind: "played", mark: String(message.name) };
    return message.event === "dtmf" ? { kind: "dtmf", digit: String(message.digit) } : undefined;
  },
  audio: (_, mulaw) => ({ event: "playAudio", payload: base64(mulaw) }),
  mark: ({ streamId }, name) => ({ event: "checkpoint", stream_id: streamId, name }),
  clear: ({ streamId }) => ({ event: "clearAudio", stream_id: streamId }),
};

/** `undefined` when `text` is not a JSON object. */
export function parseMessage(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined; // the caller of this ignores it
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

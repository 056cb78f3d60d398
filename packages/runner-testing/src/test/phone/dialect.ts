import type { CallData } from "@pipecat-ts/runner-core";

/** What a carrier says in the middle of a call. */
export type CallEvent =
  | { readonly kind: "audio"; readonly mulaw: Uint8Array }
  | { readonly kind: "played"; readonly mark: string }
  | { readonly kind: "dtmf"; readonly digit: string }
  | { readonly kind: "stop" };

/** The way one carrier talks: pure, JSON in and out. What it does not know it answers with `undefined`. */
export interface Dialect {
  /** The carrier's name, and its transport's. */
  readonly name: string;
  /** The webhook's field that tells this carrier's requests from others'. */
  readonly webhookField: string;
  /** The call, when `message` is the one by which this carrier announces it. */
  recogniseCall(message: Json): CallData | undefined;
  recogniseEvent(message: Json): CallEvent | undefined;
  audio(call: CallData, mulaw: Uint8Array): Json;
  mark(call: CallData, mark: string): Json;
  clear(call: CallData): Json;
}

export type Json = Readonly<Record<string, unknown>>;

/** Says `connected` before it says who calls; names in camel case. */
export const acme: Dialect = {
  name: "acme",
  webhookField: "CallSid",
  recogniseCall({ event, start }) {
    const { streamSid, callSid, customParameters } = (start ?? {}) as Json;
    if (event !== "start" || typeof streamSid !== "string" || typeof callSid !== "string") return undefined;
    return { streamId: streamSid, callId: callSid, body: customParameters };
  },
  recogniseEvent(message) {
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

/** Says who calls in its first message, the numbers included, and nothing when it hangs up; names in snake case. */
export const bell: Dialect = {
  name: "bell",
  webhookField: "call_uuid",
  recogniseCall({ event, stream_id, start }) {
    const { call_uuid, from, to } = (start ?? {}) as Json;
    if (event !== "start" || typeof stream_id !== "string" || typeof call_uuid !== "string") return undefined;
    return { streamId: stream_id, callId: call_uuid, from: String(from), to: String(to) };
  },
  recogniseEvent(message) {
    if (message.event === "media") return { kind: "audio", mulaw: Buffer.from(String(message.payload), "base64") };
    if (message.event === "played") return { kind: "played", mark: String(message.name) };
    return message.event === "dtmf" ? { kind: "dtmf", digit: String(message.digit) } : undefined;
  },
  audio: (_, mulaw) => ({ event: "playAudio", payload: base64(mulaw) }),
  mark: ({ streamId }, name) => ({ event: "checkpoint", stream_id: streamId, name }),
  clear: ({ streamId }) => ({ event: "clearAudio", stream_id: streamId }),
};

/** A message as it came, `undefined` when it is no JSON object. */
export function parseMessage(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined; // who reads the line skips it
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

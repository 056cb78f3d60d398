import { parseJson } from "@pipecat-ts/runner-core";

/**
 * A text that Pipecat's WebRTC clients send on their data channel. Source: small-webrtc-transport 1.10.8
 * (https://github.com/pipecat-ai/pipecat-client-web-transports).
 */
export type ChannelMessage =
  /** A keepalive, every second. It needs no answer. */
  | { readonly kind: "ping" }
  /** The caller muted or unmuted a track. */
  | { readonly kind: "trackStatus"; readonly track: CallerTrack; readonly enabled: boolean }
  /** Signaling that this side does not use. */
  | { readonly kind: "signaling" }
  /** A message of the caller's application, parsed. */
  | { readonly kind: "app"; readonly message: unknown };

/** The caller's tracks, in the order of their sections in the offer. */
export const callerTracks = ["microphone", "camera", "screen"] as const;
/** A media track of the caller. */
export type CallerTrack = (typeof callerTracks)[number];

/** Parses a text of the data channel. Returns `undefined` when it is neither a ping nor JSON that `parseJson` accepts. */
export function parseChannelText(text: string): ChannelMessage | undefined {
  if (text.startsWith("ping")) return { kind: "ping" };
  const { value: message, fault } = parseJson(text);
  if (fault !== undefined) return undefined;
  const { type, message: signal } = Object(message) as { readonly type?: unknown; readonly message?: unknown };
  return type === "signalling" ? parseSignal(Object(signal)) : { kind: "app", message };
}

function parseSignal(signal: Readonly<Record<string, unknown>>): ChannelMessage {
  const track = callerTracks[Number(signal.receiver_index)];
  if (signal.type !== "trackStatus" || track === undefined || typeof signal.enabled !== "boolean")
    return { kind: "signaling" };
  return { kind: "trackStatus", track, enabled: signal.enabled };
}

/** `renegotiate` asks the client for a new offer on the same peer; `peerLeft` tells it that the bot ended the call. */
export function signal(type: "renegotiate" | "peerLeft"): string {
  return JSON.stringify({ type: "signalling", message: { type } });
}

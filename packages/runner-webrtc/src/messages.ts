/**
 * What Pipecat's WebRTC clients say on their data channel: text alone, of three kinds. As small-webrtc-transport 1.10.8
 * does it (https://github.com/pipecat-ai/pipecat-client-web-transports).
 */
export type ChannelMessage =
  /** A sign of life, every second. Nobody answers it. */
  | { readonly kind: "ping" }
  /** The caller muted or opened one of its tracks. */
  | { readonly kind: "trackStatus"; readonly track: CallerTrack; readonly enabled: boolean }
  /** Signalling that has no meaning here. */
  | { readonly kind: "signalling" }
  /** Of the caller's application, parsed. */
  | { readonly kind: "app"; readonly message: unknown };

/** A caller's tracks, in the order of their sections in its offer. */
export const callerTracks = ["microphone", "camera", "screen"] as const;
export type CallerTrack = (typeof callerTracks)[number];

/** What a text is, or undefined when it is nothing that clients say. */
export function recogniseChannelText(text: string): ChannelMessage | undefined {
  if (text.startsWith("ping")) return { kind: "ping" };
  const message = parseJson(text);
  if (message === undefined) return undefined;
  const { type, message: signal } = Object(message) as { readonly type?: unknown; readonly message?: unknown };
  return type === "signalling" ? recogniseSignal(Object(signal)) : { kind: "app", message };
}

function recogniseSignal(signal: Readonly<Record<string, unknown>>): ChannelMessage {
  const track = callerTracks[Number(signal.receiver_index)];
  if (signal.type !== "trackStatus" || track === undefined || typeof signal.enabled !== "boolean")
    return { kind: "signalling" };
  return { kind: "trackStatus", track, enabled: signal.enabled };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // counted by the caller of this
  }
}

/** `renegotiate` asks the client for a new offer on the same peer; `peerLeft` tells it that the bot hung up. */
export function signal(type: "renegotiate" | "peerLeft"): string {
  return JSON.stringify({ type: "signalling", message: { type } });
}

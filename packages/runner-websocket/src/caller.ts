import { fromBinary } from "@bufbuild/protobuf";
import { decodePcm16 } from "@pipecat-ts/audio";
import {
  type CallEnd,
  type Caller,
  type CallerPlugin,
  type CallInvitation,
  createPlayout,
  opened,
} from "@pipecat-ts/runner-core/caller";
import { WebSocket } from "ws";
import { encodeAudio, encodeMessage } from "./codec.ts";
import { type Frame, FrameSchema } from "./generated/frames_pb.ts";

/** Calls a runner like Pipecat's JavaScript client, with protobuf frames. */
const plugin: CallerPlugin = {
  apiVersion: 1,
  name: "websocket",
  starts: true,
  open: () => ({
    dial: (invitation) => connectCaller(socketUrl(invitation), invitation.start ? {} : { key: invitation.key }),
  }),
};
export default plugin;

/**
 * The URL that the reply of `/start` names; without one, of a call without a start request. A reply with the runner's public URL is
 * used at the runner's own address, so that a call needs no tunnel.
 */
export function socketUrl({ url, publicUrl, start }: Omit<CallInvitation, "key">): URL {
  const reply = start && new URL(String(start.reply.wsUrl));
  if (reply && reply.host !== publicUrl?.host) return reply;
  const path = reply ? reply.pathname.slice(publicUrl?.pathname.replace(/\/$/, "").length) : "/ws-client";
  const socket = new URL(url.href.replace(/\/$/, "") + path);
  socket.search = reply?.search ?? "";
  socket.protocol = url.protocol.replace("http", "ws");
  return socket;
}

/** One caller over a WebSocket. */
export interface WebSocketCaller extends Caller {
  readonly socket: WebSocket;
  readonly messages: unknown[];
  readonly protocolErrors: readonly string[];
  sendMessage(message: unknown): void;
  /** Sends text or bytes unchanged. */
  sendRaw(data: string | Uint8Array): void;
}

export interface WebSocketCallerOptions {
  /** The runner's API key. */
  readonly key?: string | undefined;
  /** Called with every received frame, in order. */
  readonly onFrame?: (frame: Frame["frame"]) => void;
}

/** Connects, and resolves when the caller may speak. Rejects, with nothing left open, when the runner rejects the upgrade. */
export async function connectCaller(url: string | URL, options: WebSocketCallerOptions = {}): Promise<WebSocketCaller> {
  const { key, onFrame } = options;
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const socket = new WebSocket(url, { headers });
  const playout = createPlayout();
  const messages: unknown[] = [];
  const protocolErrors: string[] = [];

  socket.on("message", (data) => {
    let frame: Frame["frame"];
    try {
      ({ frame } = fromBinary(FrameSchema, data as Buffer));
      if (frame.case === "message") messages.push(JSON.parse(frame.value.data));
    } catch (error) {
      protocolErrors.push(`malformed message: ${(error as Error).message}`);
      return;
    }
    onFrame?.(frame);
    if (frame.case === "audio") {
      const { audio, sampleRate, numChannels: channels } = frame.value;
      playout.enqueue({ samples: decodePcm16(audio), sampleRate, channels });
    }
    if (frame.case === "interruption") playout.clear();
  });
  const closed = new Promise<CallEnd>((resolve) => {
    socket.once("close", (code, reason) => {
      playout.close();
      resolve({ code, reason: String(reason) });
    });
  });
  await opened(socket);
  const send = (data: string | Uint8Array) => {
    if (socket.readyState === socket.OPEN) socket.send(data);
  };

  return {
    sampleRate: 16_000,
    socket,
    playout,
    messages,
    protocolErrors,
    closed,
    sendAudio: (frame) => send(encodeAudio(frame)),
    sendRaw: send,
    sendMessage: (message) => send(encodeMessage(message)),
    async hangUp() {
      socket.close(1000);
      await closed;
    },
    drop: () => socket.terminate(),
  };
}

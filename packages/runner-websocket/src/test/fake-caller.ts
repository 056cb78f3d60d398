import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { decodePcm16 } from "@pipecat-ts/audio";
import { createPlayout, type FakeCaller } from "@pipecat-ts/runner-testing";
import { WebSocket } from "ws";
import { encodeAudio } from "../codec.ts";
import { type Frame, FrameSchema } from "../generated/frames_pb.ts";

/** A caller that speaks the wire format like Pipecat's JavaScript client. */
export interface WebSocketCaller extends FakeCaller {
  readonly socket: WebSocket;
  readonly messages: readonly unknown[];
  /** Every received frame, oldest first. */
  readonly frames: readonly Frame["frame"][];
  sendMessage(message: unknown): void;
  /** Code and reason of the close: `1000 bot-finished`. */
  readonly closed: Promise<string>;
}

/** Connects, with the API key if given. Rejects with `409 {"detail": …}` as the message when the server rejects it, and leaves nothing open. */
export async function connectCaller(url: string | URL, key?: string): Promise<WebSocketCaller> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const socket = new WebSocket(url, { headers });
  const playout = createPlayout();
  const frames: Frame["frame"][] = [];
  const messages: unknown[] = [];

  socket.on("message", (data) => {
    const { frame } = fromBinary(FrameSchema, data as Buffer);
    frames.push(frame);
    // Like the client: ignores the rate in the frame, and an interruption clears nothing.
    if (frame.case === "audio") {
      playout.enqueue({ samples: decodePcm16(frame.value.audio), sampleRate: 24_000, channels: 1 });
    }
    if (frame.case === "message") messages.push(JSON.parse(frame.value.data));
  });
  const closed = new Promise<string>((resolve) => {
    socket.once("close", (code, reason) => {
      playout.close();
      resolve(`${code} ${reason}`);
    });
  });
  await opened(socket);

  return {
    sampleRate: 16_000,
    socket,
    playout,
    frames,
    messages,
    closed,
    sendAudio: (frame) => socket.send(encodeAudio(frame)),
    sendRaw: (data) => socket.send(data),
    sendMessage(message) {
      const frame = { case: "message" as const, value: { data: JSON.stringify(message) } };
      socket.send(toBinary(FrameSchema, create(FrameSchema, { frame })));
    },
    async hangUp() {
      socket.close(1000);
      await closed;
    },
    drop: () => socket.terminate(),
  };
}

function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.on("error", reject);
    socket.once("unexpected-response", async (request, response) => {
      const body = await response.setEncoding("utf8").toArray();
      request.destroy();
      reject(new Error(`${response.statusCode} ${body.join("")}`));
    });
  });
}

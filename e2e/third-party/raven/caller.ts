import { once } from "node:events";
import { connect as dial } from "node:net";
import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import { createPlayout, type FakeCaller, type Invitation } from "@pipecat-ts/runner-testing";
import { createDecoder, encode, encodeJson, kinds, parseJson } from "./codec.ts";

const sampleRate = 16_000;

/** Calls the raven transport. */
export async function connect({
  listeners,
  start,
  key,
}: Pick<Invitation, "listeners" | "start" | "key">): Promise<FakeCaller> {
  const { credential, port = new URL(listeners[0] ?? "").port } = start?.reply ?? {};
  const socket = dial(Number(port), "127.0.0.1");
  await once(socket, "connect");
  socket.on("error", () => undefined); // "close" follows
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const playout = createPlayout();
  const messages: unknown[] = [];
  const decode = createDecoder();
  const answer = Promise.withResolvers<void>();
  socket.on("data", (chunk) => {
    for (const packet of decode(chunk) ?? []) {
      if (packet.kind === kinds.welcome) answer.resolve();
      if (packet.kind === kinds.audio)
        playout.enqueue({ samples: decodePcm16(packet.payload), sampleRate, channels: 1 });
      if (packet.kind === kinds.clear) playout.clear();
      if (packet.kind === kinds.message) messages.push(parseJson(packet));
    }
  });
  void closed.then(() => answer.reject(new Error("the runner refused the caller")));
  const send = (data: Uint8Array) => {
    if (socket.writable) socket.write(data);
  };
  send(encodeJson("hello", start ? { credential } : { key }));
  await answer.promise;
  return {
    sampleRate,
    playout,
    messages,
    closed,
    sendAudio: ({ samples }) => send(encode("audio", encodePcm16(samples))),
    sendMessage: (message) => send(encodeJson("message", message)),
    sendRaw: (data) => send(typeof data === "string" ? Buffer.from(data, "latin1") : data),
    async hangUp() {
      socket.end();
      await closed;
    },
    drop: () => void socket.resetAndDestroy(),
  };
}

import { once } from "node:events";
import { connect } from "node:net";
import { createPlayout } from "@pipecat-ts/runner-core/caller";
import type { FakeCaller, Invitation, TransportAdapter } from "../../adapter.ts";
import { createDecoder, encode, type Message, sampleRate } from "./codec.ts";
import { tcp } from "./plugin.ts";

/** Runs the suite on the TCP transport. */
export function createTcpAdapter(): TransportAdapter {
  return {
    plugin: tcp,
    entry: import.meta.resolve("./plugin.ts"),
    start: { greeting: "hello" },
    badStarts: [{ greeting: 7 }],
    walkIn: true,
    clears: true,
    lossNoticedMs: 500,
    malformed: ["M\0\0\0\u0001{", "A\0\0\0\u0001x", "Z\0\0\0\0", "H\u00ff\u00ff\u00ff\u00ff", "H\0\0\0\u0002[]"],
    connect: callTcp,
  };
}

async function callTcp({ listeners, start, key }: Invitation): Promise<FakeCaller> {
  const { credential, port = new URL(listeners[0] ?? "").port } = start?.reply ?? {};
  const socket = connect(Number(port), "127.0.0.1");
  await once(socket, "connect"); // rejects with the socket's error
  const send = (message: Message) => {
    if (socket.writable) socket.write(encode(message));
  };
  if (start) send({ kind: "hello", credential: String(credential) });
  else send({ kind: "hello", ...(key === undefined ? {} : { key }) });

  const playout = createPlayout();
  const messages: unknown[] = [];
  const decoder = createDecoder();
  const answered = Promise.withResolvers<void>();
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    for (const message of decoder.decode(chunk)) {
      if (message.kind === "welcome") answered.resolve();
      if (message.kind === "refused") answered.reject(new Error(message.reason));
      if (message.kind === "audio") playout.enqueue(message.frame);
      if (message.kind === "clear") playout.clear();
      if (message.kind === "app") messages.push(message.message);
    }
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  void closed.then(() => answered.reject(new Error("the server disconnected")));
  try {
    await answered.promise;
  } catch (error) {
    socket.destroy();
    throw error;
  }
  return {
    sampleRate,
    playout,
    messages,
    closed,
    sendAudio: (frame) => send({ kind: "audio", frame }),
    sendMessage: (message) => send({ kind: "app", message }),
    sendRaw: (data) => void socket.write(typeof data === "string" ? Buffer.from(data, "latin1") : data),
    async hangUp() {
      send({ kind: "bye" });
      await closed;
    },
    drop: () => void socket.resetAndDestroy(),
  };
}

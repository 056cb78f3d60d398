import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { FakeCaller, Invitation } from "../../adapter.ts";
import { createSpeaker } from "../../speaker.ts";
import { createDecoder, encode, type Message, sampleRate } from "./messages.ts";

/** Calls the toy over TCP. */
export async function callByTcp({ start }: Invitation): Promise<FakeCaller> {
  const { port, session, ticket } = start?.reply ?? {};
  const socket = connect(Number(port), "127.0.0.1");
  await once(socket, "connect"); // rejects with the socket's error
  const send = (message: Message) => {
    if (socket.writable) socket.write(encode(message));
  };
  send({ kind: "hello", session: String(session), ticket: String(ticket) });
  return createCaller(socket, send);
}

function createCaller(socket: Socket, send: (message: Message) => void): FakeCaller {
  const speaker = createSpeaker();
  const messages: unknown[] = [];
  const decoder = createDecoder();
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    for (const message of decoder.decode(chunk)) {
      if (message.kind === "audio") speaker.play(message.frame);
      if (message.kind === "clear") speaker.clear();
      if (message.kind === "app") messages.push(message.message);
    }
  });
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return {
    sampleRate,
    speaker,
    messages,
    closed,
    speak: (frame) => send({ kind: "audio", frame }),
    sendMessage: (message) => send({ kind: "app", message }),
    async hangUp() {
      send({ kind: "bye" });
      await closed;
    },
    drop: () => void socket.resetAndDestroy(),
  };
}

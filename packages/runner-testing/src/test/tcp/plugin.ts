import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import {
  type Call,
  type MediaPort,
  type RunnerContext,
  RunnerError,
  type SessionArguments,
  type TransportPlugin,
  withTimeout,
} from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import { createDecoder, encode, type Message, sampleRate } from "./codec.ts";

/** Settings of the TCP transport. */
export interface TcpOptions {
  readonly port: number;
}

/** How long a caller may take to send its hello. */
const helloMs = 2_000;

/** A small transport with a TCP server of its own: PCM, messages, clear. */
export const tcp: TransportPlugin<TcpOptions> = {
  apiVersion: 1,
  name: "tcp",
  options: {
    port: {
      flag: "tcp-port",
      env: "TCP_PORT",
      default: 0,
      description: "Port for TCP callers",
      schema: Type.Integer({ minimum: 0, maximum: 65_535 }),
    },
  },
  async open(runner, options) {
    const { host } = runner.settings;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => socket.destroy()); // "close" follows
      socket.once("close", () => sockets.delete(socket));
      accept(runner, socket);
    });
    server.listen(options.port, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return {
      start({ body }) {
        if (body.greeting !== undefined && typeof body.greeting !== "string") {
          throw new RunnerError("BODY_INVALID", "greeting is not a string.", { fix: "Omit it or send a string." });
        }
        const session = runner.createSession({ body: body.body });
        return { sessionId: session.id, body: { host, port, credential: runner.credential(session) } };
      },
      async close() {
        for (const socket of sockets) socket.destroy();
        if (!server.listening) return;
        server.close();
        await once(server, "close");
      },
      advanced: { listeners: [`tcp://${host}:${port}`] },
    };
  },
};

function accept(runner: RunnerContext, socket: Socket): void {
  const decoder = createDecoder();
  let call: Call | undefined;
  const timer = setTimeout(() => socket.destroy(), helloMs);
  socket.once("close", () => {
    clearTimeout(timer);
    call?.left();
  });
  socket.on("data", (chunk) => {
    for (const message of decoder.decode(chunk)) {
      if (message.kind === "bye") socket.end();
      else if (call) deliver(call, message);
      else if (message.kind === "hello") begin(message);
    }
  });

  function begin(hello: Extract<Message, { kind: "hello" }>): void {
    clearTimeout(timer);
    try {
      const session = runner.admit(hello);
      session.onEnd((_reason, deadline) => hangUp(socket, deadline)); // for a bot that never connects
      call = session.run<SessionArguments<"tcp">>({}, () => createPort(socket));
      socket.write(encode({ kind: "welcome" }));
      call.connected();
    } catch (err) {
      runner.logger.warn({ err }, "caller refused");
      socket.end(encode({ kind: "refused", reason: err instanceof Error ? err.message : String(err) }));
    }
  }
}

function deliver(call: Call, message: Message): void {
  if (message.kind === "audio") call.audio(message.frame);
  if (message.kind === "app") call.message(message.message);
}

function createPort(socket: Socket): MediaPort {
  const send = (message: Message) => {
    if (socket.writable) socket.write(encode(message));
  };
  return {
    sampleRates: [sampleRate],
    frameMs: 20,
    sendAheadMs: 200,
    send: (frame) => send({ kind: "audio", frame }),
    clear: () => send({ kind: "clear" }),
    sendMessage: async (message) => send({ kind: "app", message }),
    close: (_reason, deadline) => hangUp(socket, deadline),
  };
}

/** Sends what is queued and disconnects. */
async function hangUp(socket: Socket, deadline: AbortSignal): Promise<void> {
  if (socket.closed) return;
  const closed = once(socket, "close");
  socket.end();
  if (!(await withTimeout(closed, deadline))) socket.destroy();
}

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";
import {
  type Call,
  type MediaPort,
  type RunnerContext,
  type TransportPlugin,
  withTimeout,
} from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import { createDecoder, encode, encodeJson, kinds, type Packet, parseJson } from "./codec.ts";
import type { RavenRunnerArguments } from "./index.ts";

const sampleRate = 16_000;
/** How long a caller may take to say hello, in ms. */
const helloMs = 5_000;

/** Options of the raven transport. */
export interface RavenOptions {
  readonly port: number;
}

const plugin: TransportPlugin<RavenOptions> = {
  apiVersion: 1,
  name: "raven",
  options: {
    port: {
      flag: "raven-port",
      default: 0,
      description: "TCP port for ravens",
      schema: Type.Integer({ minimum: 0, maximum: 65_535 }),
    },
  },
  async open(runner, options) {
    const { host } = runner.settings;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined); // "close" follows
      socket.once("close", () => sockets.delete(socket));
      welcome(runner, socket);
    });
    server.listen(options.port, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return {
      start({ body }) {
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
export default plugin;

function welcome(runner: RunnerContext, socket: Socket): void {
  const decode = createDecoder();
  let call: Call | undefined;
  const timer = setTimeout(() => socket.destroy(), helloMs);
  socket.once("close", () => {
    clearTimeout(timer);
    call?.left();
  });
  socket.on("data", (chunk) => {
    const packets = decode(chunk);
    if (!packets) return socket.destroy();
    for (const packet of packets) {
      if (call) deliver(call, packet);
      else if (packet.kind === kinds.hello) call = admit(runner, socket, parseJson(packet));
    }
  });
  socket.once("data", () => clearTimeout(timer));
}

function admit(runner: RunnerContext, socket: Socket, hello: unknown): Call | undefined {
  const { credential, key } = Object(hello) as { readonly [field: string]: unknown };
  try {
    const session = runner.admit({
      credential: typeof credential === "string" ? credential : undefined,
      key: typeof key === "string" ? key : undefined,
    });
    session.onEnd((_reason, deadline) => hangUp(socket, deadline));
    const call = session.run<RavenRunnerArguments>({ address: socket.remoteAddress }, () => createPort(socket));
    socket.write(encode("welcome"));
    call.connected();
    return call;
  } catch (err) {
    runner.logger.warn({ err }, "caller refused");
    socket.end(encode("refused"));
    return undefined;
  }
}

function deliver(call: Call, packet: Packet): void {
  if (packet.kind === kinds.audio) call.audio({ samples: decodePcm16(packet.payload), sampleRate, channels: 1 });
  const message = packet.kind === kinds.message ? parseJson(packet) : undefined;
  if (message !== undefined) call.message(message);
}

function createPort(socket: Socket): MediaPort {
  return {
    sampleRates: [sampleRate],
    frameMs: 20,
    sendAheadMs: 200,
    send: ({ samples }) => void socket.write(encode("audio", encodePcm16(samples))),
    clear: () => void socket.write(encode("clear")),
    sendMessage: async (message) => void socket.write(encodeJson("message", message)),
    bufferedBytes: () => socket.writableLength,
    close: (_reason, deadline) => hangUp(socket, deadline),
  };
}

async function hangUp(socket: Socket, deadline: AbortSignal): Promise<void> {
  if (socket.closed) return;
  const closed = once(socket, "close");
  socket.end(); // sends what is queued
  if (!(await withTimeout(closed, deadline))) socket.destroy();
}

import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { createRunner } from "./create-runner.ts";
import type { Runner } from "./runner.ts";
import { fakePlugin } from "./test/fake-plugin.ts";
import { connect, createRecordedLog } from "./test/fixture.ts";

/** A server that passes everything below /voice to the runner, without the prefix. */
async function embed(): Promise<{ runner: Runner; origin: string; errors: string[]; release(): Promise<void> }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const runner = createRunner({
    async bot(args) {
      await (await connect(args)).closed;
    },
    plugins: [fakePlugin()],
    publicUrl: `${origin}/voice`,
    logger: createRecordedLog(),
    env: {},
  });
  await runner.open();
  const errors: string[] = [];
  function strip(request: IncomingMessage): void {
    request.url = request.url?.replace(/^\/voice/, "");
  }
  server.on("request", async (request, response) => {
    if (request.url === "/parsed") await text(request);
    strip(request);
    try {
      runner.handle(request, response);
    } catch (error) {
      errors.push(String(error));
      response.writeHead(500).end();
    }
  });
  server.on("upgrade", (request, socket, head) => {
    strip(request);
    runner.upgrade(request, socket, head);
  });
  async function release(): Promise<void> {
    await runner.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  return { runner, origin, errors, release };
}

test("an embedded runner serves calls below a path, and opens no port", async () => {
  const { runner, origin, release } = await embed();
  try {
    await expect(runner.listen()).rejects.toThrow("open already");
    const reply = await fetch(`${origin}/voice/start`, { method: "POST" });
    const { credential } = (await reply.json()) as { credential: string };
    const socket = new WebSocket(`${origin.replace("http", "ws")}/voice/fake/${credential}`);
    await once(socket, "open");
    await expect.poll(() => runner.sessions.counts).toEqual({ pending: 0, active: 1 });
    const closed = once(socket, "close");
    await runner.close();
    await closed;
  } finally {
    await release();
  }
});

test("an upgrade without a socket is rejected, and the runner still closes", async () => {
  const { runner, release } = await embed();
  try {
    expect(() => runner.upgrade({} as never, undefined as never, Buffer.alloc(0))).toThrow(
      expect.objectContaining({ code: "REQUEST_INVALID", fix: expect.stringContaining("runner.upgrade") }),
    );
    await runner.close();
  } finally {
    await release();
  }
});

test("an embedded runner rejects bodies that something else has read, and requests before open()", async () => {
  const { origin, errors, release } = await embed();
  try {
    const reply = await fetch(`${origin}/parsed`, { method: "POST", body: "{}" });
    expect(reply.status).toBe(500);
    expect(errors).toEqual([expect.stringContaining("The body of this request was read before")]);
  } finally {
    await release();
  }
  const unopened = createRunner({ bot: () => undefined, logger: createRecordedLog(), env: {} });
  const notOpen = { code: "RUNNER_NOT_OPEN", fix: expect.stringContaining("runner.open()") };
  expect(() => unopened.handle({} as never, {} as never)).toThrow(expect.objectContaining(notOpen));
  const listening = createRunner({ bot: () => undefined, port: 0, logger: createRecordedLog(), env: {} });
  await listening.listen();
  await expect(listening.open()).rejects.toThrow("open already");
  const hasServer = { code: "RUNNER_NOT_OPEN", fix: expect.stringContaining("instead") };
  expect(() => listening.handle({} as never, {} as never)).toThrow(expect.objectContaining(hasServer));
  await listening.close();
});

test("the client of a bot that throws is told nothing by a runner inside another server", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const bot = () => Promise.reject(new TypeError("no microphone"));
  const runner = createRunner({ bot, plugins: [fakePlugin()], port, env: {}, logger: createRecordedLog() });
  await runner.open();
  server.on("request", runner.handle).on("upgrade", runner.upgrade);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/fake`);
  const messages: string[] = [];
  socket.on("message", (data) => messages.push(String(data)));
  await once(socket, "close");
  expect(messages.join("")).not.toContain("microphone");
  await runner.close();
  server.close();
});

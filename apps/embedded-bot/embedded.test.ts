import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import * as express from "./express.ts";
import * as fastify from "./fastify.ts";
import * as hono from "./hono.ts";

const releases: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
});

describe.each([
  { name: "Express", start: express.start },
  { name: "Fastify", start: fastify.start },
  { name: "Hono", start: hono.start },
])("a runner in $name", ({ start }) => {
  async function open() {
    const { runner, server } = await start(0);
    if (!server.listening) await once(server, "listening");
    releases.push(async () => {
      await runner.close();
      server.closeAllConnections();
      server.close();
    });
    return { runner, server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
  }

  function post(url: string, body: unknown): Promise<Response> {
    const headers = { "content-type": "application/json" };
    return fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  }

  test("takes calls beside the server's own routes", async () => {
    const { runner, origin } = await open();
    expect(await (await fetch(`${origin}/hello`)).text()).toBe("Hello");
    expect(await (await post(`${origin}/echo`, { own: 1 })).json()).toEqual({ own: 1 });
    expect(await (await fetch(`${origin}/status`)).json()).toMatchObject({ transports: ["websocket"] });

    const started = await post(`${origin}/start`, { transport: "websocket", body: { table: 4 } });
    const { wsUrl } = (await started.json()) as { wsUrl: string };
    expect(new URL(wsUrl).port).toBe(new URL(origin).port);
    const socket = new WebSocket(wsUrl);
    await once(socket, "open");
    socket.send(JSON.stringify({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.2.0" } }));
    const [message] = await once(socket, "message");
    expect(JSON.parse(String(message))).toMatchObject({ type: "bot-ready" });
    expect([...runner.sessions].map(({ body }) => body)).toEqual([{ table: 4 }]);
    const closed = once(socket, "close");
    await runner.close();
    expect((await closed)[0]).toBe(1001);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });

  test("answers unknown paths and sockets, and large bodies, like its own server", async () => {
    const { origin } = await open();
    const unknown = await fetch(`${origin}/nothing`);
    expect([unknown.status, ((await unknown.json()) as { code: string }).code]).toEqual([404, "NOT_FOUND"]);
    const large = await post(`${origin}/start`, { body: "x".repeat(2 * 1024 * 1024) });
    expect([large.status, ((await large.json()) as { code: string }).code]).toEqual([413, "BODY_TOO_LARGE"]);
    const socket = new WebSocket(`${origin.replace("http", "ws")}/nothing`);
    const [error] = await once(socket, "error");
    expect(error.message).toContain("404");
  });
});

import { once } from "node:events";
import { request } from "node:http";
import { connect as connectTo } from "node:net";
import { countResources, settleResources, within } from "@pipecat-ts/runner-testing";
import { afterEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { pageFolder } from "./browser-client.ts";
import { findSdk } from "./daily-js.ts";
import { openPageServer, type PageServer } from "./page-server.ts";

const servers: PageServer[] = [];
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())));

async function open(): Promise<PageServer> {
  const server = await openPageServer({ folder: pageFolder, sdk: findSdk() });
  servers.push(server);
  return server;
}

/** The status of a request on a new connection. */
async function status(url: string, headers: Record<string, string> = {}, method = "GET"): Promise<number> {
  const sent = request(url, { headers, method, agent: false }).end();
  const [response] = await once(sent, "response");
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

async function connect(url: string, origin?: string): Promise<"open" | "refused"> {
  const socket = new WebSocket(url, origin === undefined ? {} : { origin });
  return await new Promise((resolve) => {
    socket.once("open", () => resolve("open"));
    socket.on("error", () => resolve("refused"));
  });
}

test("serves the files of the page below its secret path, and nothing else", async () => {
  const { url } = await open();
  const { origin, pathname } = new URL(url);
  expect(pathname).toMatch(/^\/[\w-]{43}\/$/);
  for (const name of [
    "",
    "page.js",
    "playout.js",
    "playout-worklet.js",
    "capture.js",
    "capture-worklet.js",
    "daily.js",
  ]) {
    expect([name, await status(url + name)]).toEqual([name, 200]);
  }
  const others = [
    `${url}../package.json`,
    `${url}%2e%2e/package.json`,
    `${url}package.json`,
    origin,
    `${origin}/page.js`,
  ];
  for (const wrong of [...others, `${origin}/${"A".repeat(43)}/page.js`, `${origin}/${"é".repeat(43)}/`]) {
    expect([wrong, await status(wrong)]).toEqual([wrong, 404]);
  }
  expect(await status(url, { host: "evil.example.com" })).toBe(404);
  expect(await status(url, {}, "POST")).toBe(404);
});

test("accepts one WebSocket, from its own page", async () => {
  const server = await open();
  const address = `${server.url.replace("http", "ws")}socket`;
  const { origin } = new URL(server.url);
  expect(await connect(address)).toBe("refused");
  expect(await connect(address, "http://evil.example.com")).toBe("refused");
  expect(await connect(address.replace(/\/[^/]+\/socket/, "/guess/socket"), origin)).toBe("refused");
  expect(await connect(address, origin)).toBe("open");
  expect(await connect(address, origin)).toBe("refused");
  expect((await server.socket).readyState).toBe(1);
});

test("closes rejected sockets, even when the other end keeps them open or resets them", async () => {
  const before = countResources();
  const server = await open();
  const { host, port } = new URL(server.url);
  const upgrade = `GET /guess/socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
  const halfOpen = connectTo({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true });
  halfOpen.write(upgrade);
  const [answer] = await once(halfOpen, "data");
  expect(String(answer)).toMatch(/^HTTP\/1\.1 403 /);
  const reset = connectTo(Number(port), "127.0.0.1", () => reset.write(upgrade, () => reset.resetAndDestroy()));
  await once(reset, "close");
  await within("the server closes", server.close(), 2_000);
  halfOpen.destroy();
  expect(await settleResources(before)).toEqual([]);
});

test("closes a file whose request is aborted", async () => {
  const before = countResources();
  const server = await open();
  const { host, port, pathname } = new URL(server.url);
  const socket = connectTo(Number(port), "127.0.0.1");
  socket.write(`GET ${pathname}daily.js HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await once(socket, "data");
  socket.destroy();
  await server.close();
  expect(await settleResources(before)).toEqual([]);
});

test("leaves nothing open, and each server has a secret of its own", async () => {
  const before = countResources();
  const [one, other] = [await open(), await open()];
  expect(one.url.split("/")[3]).not.toBe(other.url.split("/")[3]);
  await connect(`${one.url.replace("http", "ws")}socket`, new URL(one.url).origin);
  await Promise.all([one.close(), one.close(), other.close()]);
  expect(await settleResources(before)).toEqual([]);
});

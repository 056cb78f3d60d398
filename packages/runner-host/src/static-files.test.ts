import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { rm, utimes, writeFile } from "node:fs/promises";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { Router } from "@koa/router";
import Koa from "koa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addRoute } from "./route.ts";
import { createFileSender, downloadRoutes } from "./static-files.ts";
import { fakePlugin } from "./test/fake-plugin.ts";
import { type RunnerFixture, startRunner } from "./test/fixture.ts";

let outside = "";
let folder = "";
let clientRoot = "";
const large = Buffer.alloc(4_000_000, "x");

beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), "runner-host-"));
  writeFileSync(join(outside, "secret.txt"), "secret");
  mkdirSync(join(outside, "files-beside"));
  writeFileSync(join(outside, "files-beside", "secret.txt"), "secret");

  folder = join(outside, "files");
  mkdirSync(join(folder, "sub"), { recursive: true });
  writeFileSync(join(folder, "digits.txt"), "0123456789");
  writeFileSync(join(folder, "empty.wav"), "");
  writeFileSync(join(folder, "sub", "ä page.html"), "<script>");
  writeFileSync(join(folder, "large.bin"), large);
  writeFileSync(join(folder, "endless.bin"), "");
  truncateSync(join(folder, "endless.bin"), 100_000_000);
  symlinkSync(join(outside, "secret.txt"), join(folder, "link.txt"));
  symlinkSync(outside, join(folder, "up"));
  symlinkSync(join(folder, "digits.txt"), join(folder, "inside.txt"));
  writeFileSync(join(folder, ".env"), "secret");
  mkdirSync(join(folder, ".git"));
  writeFileSync(join(folder, ".git", "config"), "secret");
  mkdirSync(join(folder, "sub", ".ssh"));
  writeFileSync(join(folder, "sub", ".ssh", "key"), "secret");
  symlinkSync(join(folder, ".env"), join(folder, "env.txt"));

  clientRoot = join(outside, "client");
  mkdirSync(join(clientRoot, "assets"), { recursive: true });
  writeFileSync(join(clientRoot, "index.html"), "<!doctype html>");
  writeFileSync(join(clientRoot, "assets", "index-Bx3_k9Qz.js"), "hello()");
  writeFileSync(join(clientRoot, "assets", "index-Bx3_k9Qz.css"), "a{}");
  writeFileSync(join(clientRoot, "assets", "call-Cd4_m2Rt.js"), "hello()");
  writeFileSync(join(clientRoot, "assets", "call-Cd4_m2Rt.js.br"), brotliCompressSync("hello()"));
  writeFileSync(join(clientRoot, "assets", "call-Cd4_m2Rt.js.gz"), gzipSync("hello()"));
  writeFileSync(join(clientRoot, "voice.wav"), "RIFF");
  writeFileSync(join(clientRoot, ".env"), "secret");
});

afterAll(() => rmSync(outside, { recursive: true }));

/** Sends a GET with the path unchanged, which fetch would normalize. Returns status and body. */
async function get(
  host: RunnerFixture,
  path: string,
  header = "Accept: */*",
): Promise<{ status: number; body: string }> {
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`);
  const reply = await text(socket);
  return { status: Number(reply.split(" ")[1]), body: reply.slice(reply.indexOf("\r\n\r\n") + 4) };
}

test("without a folder, /files/ gets 404", async () => {
  await using host = await startRunner();
  expect((await host.fetch("/files/digits.txt")).status).toBe(404);
});

test("a folder that does not exist, or is a file, is rejected with OPTION_INVALID", async () => {
  for (const missing of [join(folder, "missing"), join(folder, "digits.txt")]) {
    const rejected = expect.objectContaining({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/^--downloads-folder: ".*" is not a directory\.$/),
    });
    await expect(startRunner({ downloadsFolder: missing })).rejects.toThrow(rejected);
  }
});

test("files are sent as downloads, so that none is shown as a page of this server", async () => {
  await using host = await startRunner({ downloadsFolder: folder });
  const page = await host.fetch("/files/sub/%C3%A4%20page.html");
  expect([page.status, await page.text()]).toEqual([200, "<script>"]);
  expect(page.headers.get("content-disposition")).toMatch(/^attachment; filename=/);
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  expect(await (await host.fetch("/files/inside.txt")).text()).toBe("0123456789");
  const whole = await host.fetch("/files/large.bin");
  expect(Buffer.from(await whole.arrayBuffer()).equals(large)).toBe(true);
  const empty = await host.fetch("/files/empty.wav");
  expect([empty.status, empty.headers.get("content-length"), await empty.text()]).toEqual([200, "0", ""]);
  const head = await host.fetch("/files/large.bin", { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "4000000"]);
  // fetch would add Cache-Control: no-cache.
  const again = await get(host, "/files/digits.txt", `If-None-Match: ${await etag(host)}`);
  expect(again.status).toBe(304);
});

async function etag(host: RunnerFixture): Promise<string | null> {
  return (await host.fetch("/files/digits.txt")).headers.get("etag");
}

test.each([
  ["bytes=0-3", 206, "0123", "bytes 0-3/10"],
  ["bytes=4-", 206, "456789", "bytes 4-9/10"],
  ["bytes=-2", 206, "89", "bytes 8-9/10"],
  ["bytes=8-99", 206, "89", "bytes 8-9/10"],
  ["bytes=10-", 416, expect.stringContaining("REQUEST_INVALID"), "bytes */10"],
  ["bytes=0-1,4-5", 200, "0123456789", null],
  ["bytes=5-2", 416, expect.stringContaining("REQUEST_INVALID"), "bytes */10"],
  ["lines=0-1", 200, "0123456789", null],
  ["bytes", 200, "0123456789", null],
])("the range %s gets %i", async (range, status, body, contentRange) => {
  await using host = await startRunner({ downloadsFolder: folder });
  const response = await host.fetch("/files/digits.txt", { headers: { range } });
  expect([response.status, await response.text(), response.headers.get("content-range")]).toEqual([
    status,
    body,
    contentRange,
  ]);
});

test("a conditional range of a file that has changed gets the whole file", async () => {
  await using host = await startRunner({ downloadsFolder: folder });
  const request = async (condition: string) =>
    (await host.fetch("/files/digits.txt", { headers: { range: "bytes=0-3", "if-range": condition } })).status;
  expect([await request((await etag(host)) ?? ""), await request('"old"')]).toEqual([206, 200]);
});

test.each([
  "/files/../secret.txt",
  "/files/sub/../../secret.txt",
  "/files/%2e%2e/secret.txt",
  "/files/%2e%2e%2fsecret.txt",
  "/files/..%2fsecret.txt",
  "/files/..%5csecret.txt",
  "/files/%252e%252e%252fsecret.txt",
  "/files/....//secret.txt",
  "/files/../files-beside/secret.txt",
  "/files//etc/passwd",
  "/files/%2fetc%2fpasswd",
  "/files/etc/passwd",
  "/files/link.txt",
  "/files/up/secret.txt",
  "/files/up/files/../secret.txt",
  "/files/secret.txt%00",
  "/files/digits.txt%00.wav",
  "/files/digits.txt/",
  "/files/digits.txt/x",
  "/files/sub",
  "/files/sub/",
  "/files/.",
  "/files/%E0%A4%A",
  "/files/%c0%ae%c0%ae/secret.txt",
  "/files/.env",
  "/files/%2eenv",
  "/files/env.txt",
  "/files/.git/config",
  "/files/sub/.ssh/key",
  "/files/up/files/.env",
  `/files/${"a".repeat(5_000)}`,
  `/files/${"a/".repeat(3_000)}b`,
])("%s gets 404", async (path) => {
  await using host = await startRunner({ downloadsFolder: folder });
  const { status, body } = await get(host, path);
  expect([status, JSON.parse(body).code]).toEqual([404, "NOT_FOUND"]);
});

test.each(["/files", "/files/"])("%s does not list the files", async (path) => {
  await using host = await startRunner({ downloadsFolder: folder });
  const { status, body } = await get(host, path);
  expect([status, JSON.parse(body).code]).toEqual([405, "METHOD_NOT_ALLOWED"]);
});

test("with an API key, files require it", async () => {
  const apiKey = "sixteen-characters";
  await using host = await startRunner({ downloadsFolder: folder, apiKey });
  expect((await host.fetch("/files/digits.txt")).status).toBe(401);
  expect((await host.fetch("/files/nothing")).status).toBe(401);
  const headers = { authorization: `Bearer ${apiKey}` };
  expect((await host.fetch("/files/digits.txt", { headers })).status).toBe(200);
});

test("the connection of a client that does not read its file is closed", async () => {
  const router = new Router();
  const access = { requireKey: () => undefined, requireOperator: () => undefined };
  for (const route of downloadRoutes(folder, createFileSender(100))) addRoute(router, route, access);
  const app = new Koa().use(router.routes());
  app.silent = true;
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write("GET /files/endless.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
  socket.pause();
  await once(server, "connection");
  const connections = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
  expect(await connections()).toBe(1);
  await expect.poll(connections, { timeout: 5_000 }).toBe(0);
  server.close();
});

test("at most 100 files are open for clients that do not read, and a file is closed when its client leaves", async () => {
  await using host = await startRunner({ downloadsFolder: folder });
  const stalled = Array.from({ length: 110 }, () => {
    const socket = connect(Number(host.runner.url.port), "127.0.0.1");
    socket.write("GET /files/endless.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.pause();
    return socket;
  });
  const status = async () => (await host.fetch("/files/digits.txt")).status;
  await expect.poll(status).toBe(429);
  for (const socket of stalled) socket.destroy();
  await expect.poll(status).toBe(200);
});

test("clients that leave before a file is found take none of the 100 places", async () => {
  await using host = await startRunner({ clientRoot });
  for (let round = 0; round < 12; round++) {
    const leaving = Array.from({ length: 10 }, async () => {
      const socket = connect(Number(host.runner.url.port), "127.0.0.1");
      socket.write("GET /client/voice.wav HTTP/1.1\r\nHost: localhost\r\n\r\n", () => socket.resetAndDestroy());
      await once(socket, "close");
    });
    await Promise.all(leaving);
  }
  expect((await host.fetch("/client/voice.wav")).status).toBe(200);
});

test("/ and /client redirect to /client/, also below a path of a proxy, and keep the query", async () => {
  await using host = await startRunner({ clientRoot });
  for (const [from, to] of [
    ["/", "/client/"],
    ["/?a=1", "/client/?a=1"],
    ["/client", "/client/"],
  ] as const) {
    const response = await host.fetch(from);
    const location = response.headers.get("location") ?? "";
    for (const prefix of ["", "/bots"]) {
      const followed = new URL(location, `https://example.com${prefix}${from}`);
      expect([response.status, followed.pathname + followed.search]).toEqual([307, prefix + to]);
    }
  }
});

test.each([
  ["/client/", "text/html; charset=utf-8", "no-cache"],
  ["/client/index.html", "text/html; charset=utf-8", "no-cache"],
  ["/client/assets/index-Bx3_k9Qz.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"],
  ["/client/assets/index-Bx3_k9Qz.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"],
  ["/client/voice.wav", "audio/wav", "no-cache"],
])("%s has the type %s and the caching %s", async (path, type, caching) => {
  await using host = await startRunner({ clientRoot });
  const response = await host.fetch(path);
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(
    new RegExp(`^${type.replace("audio/wav", "audio/(x-|vnd.)?wave?")}$`),
  );
  expect(response.headers.get("cache-control")).toBe(caching);
  const body = await response.text();
  expect(Number(response.headers.get("content-length"))).toBe(body.length);

  const head = await host.fetch(path, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, String(body.length), ""]);

  const etag = response.headers.get("etag") ?? "";
  const again = await host.fetch(path, { headers: { "if-none-match": etag, "cache-control": "" } });
  expect([again.status, await again.text()]).toEqual([304, ""]);
});

test.each([
  "/client/none.js",
  "/client/.env",
  "/client/assets",
  "/client/assets/",
  "/client/../secret.txt",
  "/client/..%2fsecret.txt",
  "/client/%2e%2e/secret.txt",
  "/client/assets/..%2f..%2fsecret.txt",
  "/client/..%5csecret.txt",
  "/client//etc/passwd",
  "/client/%2fetc%2fpasswd",
  "/client/x%00.html",
  "/client/%E0%A4%A",
])("%s is not served", async (path) => {
  await using host = await startRunner({ clientRoot });
  expect((await get(host, path)).status).toBe(404);
});

test("a file that changed is served with its new content", async () => {
  await using host = await startRunner({ clientRoot });
  const file = join(clientRoot, "changing.html");
  for (const content of ["one", "two", "three"]) {
    await writeFile(file, content);
    await utimes(file, new Date(), new Date(Date.now() + content.charCodeAt(1) * 1_000));
    expect(await (await host.fetch("/client/changing.html")).text()).toBe(content);
  }
});

test("a client that requests a file 1,000 times and reads nothing does not open it 1,000 times", async () => {
  await using host = await startRunner({ clientRoot });
  await writeFile(join(clientRoot, "large.bin"), Buffer.alloc(1_000_000));
  const before = process.memoryUsage().arrayBuffers;
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.pause().write("GET /client/large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1_000));
  for (let round = 0; round < 10; round++) expect((await host.fetch("/livez")).status).toBe(200);
  expect(process.getActiveResourcesInfo().filter((kind) => kind === "FSReqCallback").length).toBeLessThan(10);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
  socket.destroy();
});

test("a file that was deleted gets 404", async () => {
  await using host = await startRunner({ clientRoot });
  const file = join(clientRoot, "gone.html");
  await writeFile(file, "x");
  expect((await host.fetch("/client/gone.html")).status).toBe(200);
  await rm(file);
  expect((await host.fetch("/client/gone.html")).status).toBe(404);
});

test("without a client folder, / and /client/ get 404", async () => {
  await using host = await startRunner();
  for (const path of ["/", "/client/"]) {
    const response = await host.fetch(path);
    expect([response.status, await response.json()]).toEqual([404, expect.objectContaining({ code: "NOT_FOUND" })]);
  }
});

test("a transport's route for / passes other requests on to the client", async () => {
  const webhook = fakePlugin({
    opened: {
      routes: [
        {
          method: "GET",
          path: "/",
          access: "carrier",
          handle: (ctx, next) => {
            if (ctx.query.CallSid === undefined) return next();
            ctx.body = "<Response/>";
          },
        },
      ],
    },
  });
  await using host = await startRunner({ clientRoot, plugins: [webhook] });
  expect(await (await host.fetch("/?CallSid=CA1")).text()).toBe("<Response/>");
  expect((await host.fetch("/")).status).toBe(307);
});

test("a file that becomes shorter while it is sent closes the connection", async () => {
  await using host = await startRunner({ downloadsFolder: folder });
  const path = join(folder, "shrinking.bin");
  writeFileSync(path, "");
  truncateSync(path, 100_000_000);
  const connection = connect(Number(host.runner.url.port), "127.0.0.1");
  connection.write("GET /files/shrinking.bin HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(connection, "data");
  connection.pause();
  truncateSync(path, 1);
  connection.resume();
  connection.on("error", () => undefined); // It may be reset.
  await once(connection, "close");
});

test.each([
  ["gzip, deflate, br, zstd", "br"],
  ["gzip", "gzip"],
  ["br;q=0, gzip", "gzip"],
  ["identity", null],
])(
  "a browser that accepts %j gets the client in the encoding %s, with type and caching of the original",
  async (accepted, encoding) => {
    await using host = await startRunner({ clientRoot });
    const path = "/client/assets/call-Cd4_m2Rt.js";
    const response = await host.fetch(path, { headers: { "accept-encoding": accepted } });
    expect(await response.text()).toBe("hello()"); // fetch decodes it
    const header = (name: string) => response.headers.get(name);
    expect([header("content-encoding"), header("vary")]).toEqual([encoding, "Accept-Encoding"]);
    expect(header("content-type")).toBe("text/javascript; charset=utf-8");
    expect(header("cache-control")).toBe("public, max-age=31536000, immutable");
    const again = { "accept-encoding": accepted, "if-none-match": header("etag") ?? "", "cache-control": "" };
    expect((await host.fetch(path, { headers: again })).status).toBe(304);
  },
);

test("a file without a compressed one is sent as it is", async () => {
  await using host = await startRunner({ clientRoot });
  const response = await host.fetch("/client/voice.wav", { headers: { "accept-encoding": "br, gzip" } });
  expect([response.status, response.headers.get("content-encoding")]).toEqual([200, null]);
  expect(response.headers.get("content-type")).toBe("audio/wav");
  expect(await response.text()).toBe("RIFF");
});

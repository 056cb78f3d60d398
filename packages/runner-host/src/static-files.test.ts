import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Router } from "@koa/router";
import Koa from "koa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { serveFolder } from "./folder-files.ts";
import { type RunnerFixture, startRunner } from "./test/fixture.ts";

let outside = "";
let folder = "";
const large = Buffer.alloc(4_000_000, "x");

beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), "pipecat-folder-"));
  folder = join(outside, "files");
  mkdirSync(join(folder, "sub"), { recursive: true });
  writeFileSync(join(outside, "secret.txt"), "secret");
  mkdirSync(join(outside, "files-beside"));
  writeFileSync(join(outside, "files-beside", "secret.txt"), "secret");
  writeFileSync(join(folder, "digits.txt"), "0123456789");
  writeFileSync(join(folder, "empty.wav"), "");
  writeFileSync(join(folder, "sub", "ä page.html"), "<script>");
  writeFileSync(join(folder, "large.bin"), large);
  writeFileSync(join(folder, "endless.bin"), "");
  truncateSync(join(folder, "endless.bin"), 100_000_000);
  symlinkSync(join(outside, "secret.txt"), join(folder, "link.txt"));
  symlinkSync(outside, join(folder, "up"));
  symlinkSync(join(folder, "digits.txt"), join(folder, "inside.txt"));
});
afterAll(() => rmSync(outside, { recursive: true }));

/** A request whose path nobody tidied up: the status and the body. */
async function raw(
  host: RunnerFixture,
  path: string,
  header = "Accept: */*",
): Promise<{ status: number; body: string }> {
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n${header}\r\nConnection: close\r\n\r\n`);
  const reply = await text(socket);
  return { status: Number(reply.split(" ")[1]), body: reply.slice(reply.indexOf("\r\n\r\n") + 4) };
}

test("without a folder nothing is served", async () => {
  await using host = await startRunner();
  expect((await host.fetch("/files/digits.txt")).status).toBe(404);
});

test("a folder that is none is an option's fault, before anything is opened", async () => {
  for (const none of [join(folder, "missing"), join(folder, "digits.txt")]) {
    const refused = expect.objectContaining({
      code: "OPTION_INVALID",
      message: expect.stringContaining("--folder is"),
    });
    await expect(startRunner({ folder: none })).rejects.toThrow(refused);
  }
});

test("files are downloaded, and never shown as pages of this server", async () => {
  await using host = await startRunner({ folder });
  const page = await host.fetch("/files/sub/%C3%A4%20page.html");
  expect([page.status, await page.text()]).toEqual([200, "<script>"]);
  expect(page.headers.get("content-disposition")).toMatch(/^attachment; filename=/);
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");
  expect(await (await host.fetch("/files/inside.txt")).text()).toBe("0123456789");
  const whole = await host.fetch("/files/large.bin");
  expect(Buffer.from(await whole.arrayBuffer()).equals(large)).toBe(true);
  const empty = await host.fetch("/files/empty.wav", { headers: { range: "bytes=0-5" } });
  expect([empty.status, empty.headers.get("content-length"), await empty.text()]).toEqual([200, "0", ""]);
  const head = await host.fetch("/files/large.bin", { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, "4000000"]);
  // Not by fetch, which would ask for it anew.
  const again = await raw(host, "/files/digits.txt", `If-None-Match: ${await etag(host)}`);
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
  ["bytes=10-", 416, "", "bytes */10"],
  ["bytes=0-1,4-5", 200, "0123456789", null],
  ["bytes=5-2", 200, "0123456789", null],
  ["lines=0-1", 200, "0123456789", null],
  ["bytes", 200, "0123456789", null],
])("the range %s is answered %i", async (range, status, body, contentRange) => {
  await using host = await startRunner({ folder });
  const response = await host.fetch("/files/digits.txt", { headers: { range } });
  expect([response.status, await response.text(), response.headers.get("content-range")]).toEqual([
    status,
    body,
    contentRange,
  ]);
});

test("a range of a file that has changed since is answered by the whole", async () => {
  await using host = await startRunner({ folder });
  const ask = async (condition: string) =>
    (await host.fetch("/files/digits.txt", { headers: { range: "bytes=0-3", "if-range": condition } })).status;
  expect([await ask((await etag(host)) ?? ""), await ask('"old"')]).toEqual([206, 200]);
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
  "/files/",
  "/files",
  "/files/%E0%A4%A",
  "/files/%c0%ae%c0%ae/secret.txt",
  `/files/${"a".repeat(5_000)}`,
  `/files/${"a/".repeat(3_000)}b`,
])("%s is not there", async (path) => {
  await using host = await startRunner({ folder });
  const { status, body } = await raw(host, path);
  expect([status, JSON.parse(body).code]).toEqual([404, "NOT_FOUND"]);
});

test("with a key, files are for its holders", async () => {
  const apiKey = "sixteen-characters";
  await using host = await startRunner({ folder, apiKey });
  expect((await host.fetch("/files/digits.txt")).status).toBe(401);
  expect((await host.fetch("/files/nothing")).status).toBe(401);
  const headers = { authorization: `Bearer ${apiKey}` };
  expect((await host.fetch("/files/digits.txt", { headers })).status).toBe(200);
});

test("a client that reads nothing of its file is cut off", async () => {
  const router = new Router();
  serveFolder(router, folder, { requireOperator: () => undefined }, 100);
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

test("clients that read nothing hold no more than 100 files open, and their leaving closes those", async () => {
  await using host = await startRunner({ folder });
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

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Bot, FileStorage, SessionArguments } from "@pipecat-ts/runner-core";
import { createFileStorage } from "@pipecat-ts/runner-files";
import { expect, onTestFinished, test } from "vitest";
import { fakePlugin } from "./test/fake-plugin.ts";
import { type RunnerFixture, startRunner } from "./test/fixture.ts";

const mebibyte = 1024 * 1024;

interface UploadFixture extends RunnerFixture {
  readonly folder: string;
  readonly storage: FileStorage;
}

async function startUploads(
  options: Parameters<typeof startRunner>[0] & { maxFiles?: number } = {},
): Promise<UploadFixture> {
  const { maxFiles, ...rest } = options;
  const folder = mkdtempSync(join(tmpdir(), "pipecat-uploads-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const storage = createFileStorage({ folder, ...(maxFiles !== undefined && { maxFiles }) });
  return { ...(await startRunner({ fileStorage: storage, ...rest })), folder, storage };
}

function form(content: Blob | string, name = "a.txt", field = "file"): FormData {
  const data = new FormData();
  data.set(field, content instanceof Blob ? content : new Blob([content]), name);
  return data;
}

async function upload(host: RunnerFixture, body: FormData, path = "/files", headers = {}) {
  const response = await host.fetch(path, { method: "POST", body, headers });
  return { status: response.status, body: (await response.json()) as Record<string, never> };
}

/** A multipart body with these parts, each of headers and content. */
function multipart(...parts: readonly [headers: string, content: string][]): string {
  return `${parts.map(([headers, content]) => `--b\r\n${headers}\r\n\r\n${content}\r\n`).join("")}--b--\r\n`;
}

function head(path: string, ...headers: string[]): string {
  const common = ["Host: localhost", "Content-Type: multipart/form-data; boundary=b", "Connection: close"];
  return [`POST ${path} HTTP/1.1`, ...common, ...headers, "", ""].join("\r\n");
}

/** Posts this body as it is. */
async function post(host: RunnerFixture, body: string, path = "/files"): Promise<string> {
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(head(path, `Content-Length: ${Buffer.byteLength(body)}`));
  socket.write(body);
  return await text(socket);
}

/** Fields without content. */
function fields(
  count: number,
  headers = 'Content-Disposition: form-data; name="x"',
): [headers: string, content: string][] {
  return Array.from({ length: count }, () => [headers, ""]);
}

const fileHeaders = 'Content-Disposition: form-data; name="file"; filename="a.txt"';

test("POST /files stores a file, and replies with what RTVI's send-file takes", async () => {
  await using host = await startUploads();
  const sent = randomBytes(3 * mebibyte);
  const reply = await upload(host, form(new Blob([sent], { type: "application/pdf" }), "report"));
  expect(reply).toEqual({
    status: 200,
    body: {
      name: "report",
      source: { type: "url", url: expect.stringMatching(/^pipecat:[0-9a-f]{32}$/) },
      format: "application/pdf",
    },
  });
  const { url } = (reply.body as unknown as { source: { url: string } }).source;
  expect(sent.equals(await host.storage.load(url))).toBe(true);
});

test("a file of a session is deleted when the session ends, and its bot can read it until then", async () => {
  const calls: SessionArguments[] = [];
  const bot: Bot = async (args) => {
    calls.push(args);
    await new Promise((resolve) => args.signal.addEventListener("abort", resolve));
  };
  await using host = await startUploads({ bot });
  const { id, socket } = await host.call();
  const { status, body } = await upload(host, form("hello"), `/sessions/${id}/files`);
  expect(status).toBe(200);
  await upload(host, form("stays"));
  const { url } = body.source as unknown as { url: string };
  expect(String(await calls[0]?.fileStorage?.load(url))).toBe("hello");
  await host.runner.sessions.find(id)?.end("ended-by-request");
  await expect(host.storage.load(url)).rejects.toThrow(expect.objectContaining({ code: "FILE_UNKNOWN" }));
  expect(readdirSync(host.folder)).toHaveLength(1);
  socket.terminate();
});

test("a bot can neither read nor delete a file of another session, but files without a session", async () => {
  const calls: SessionArguments[] = [];
  const bot: Bot = async (args) => {
    calls.push(args);
    await new Promise((resolve) => args.signal.addEventListener("abort", resolve));
  };
  await using host = await startUploads({ bot });
  const urlOf = async (path: string) =>
    ((await upload(host, form("secret"), path)).body.source as unknown as { url: string }).url;
  const [first, second] = [await host.call(), await host.call()];
  const [owner, other] = [first, second].map(({ id }) => calls.find((args) => args.sessionId === id)?.fileStorage);
  const own = await urlOf(`/sessions/${first.id}/files`);
  await expect(other?.load(own)).rejects.toThrow(expect.objectContaining({ code: "FILE_UNKNOWN" }));
  await other?.delete(own);
  expect(String(await owner?.load(own))).toBe("secret");
  const open = await urlOf("/files");
  expect(String(await other?.load(open))).toBe("secret");
  await owner?.delete(own);
  await expect(owner?.load(own)).rejects.toThrow(expect.objectContaining({ code: "FILE_UNKNOWN" }));
  first.socket.terminate();
  second.socket.terminate();
});

test("a session that ends during an upload leaves no file", async () => {
  await using host = await startUploads();
  const { body } = await host.post("/start");
  const content = multipart([fileHeaders, "x".repeat(100)]);
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(head(`/sessions/${body.id}/files`, `Content-Length: ${content.length}`) + content.slice(0, -30));
  await expect.poll(() => readdirSync(host.folder)).toHaveLength(1);
  await host.runner.sessions.find(String(body.id))?.end("ended-by-request");
  socket.write(content.slice(-30));
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
  await expect.poll(() => readdirSync(host.folder)).toEqual([]);
});

test("uploads need a live session, the API key, and --uploads-folder", async () => {
  await using host = await startUploads();
  expect(await upload(host, form("x"), "/sessions/nobody/files")).toMatchObject({
    status: 404,
    body: { code: "SESSION_UNKNOWN" },
  });
  const apiKey = "sixteen-characters";
  await using locked = await startUploads({ apiKey });
  for (const path of ["/files", "/sessions/nobody/files"]) {
    expect(await upload(locked, form("x"), path)).toMatchObject({ status: 401, body: { code: "KEY_REQUIRED" } });
  }
  expect((await upload(locked, form("x"), "/files", { authorization: `Bearer ${apiKey}` })).status).toBe(200);
  await using off = await startRunner();
  const { body } = await off.post("/start");
  for (const path of ["/files", `/sessions/${body.id}/files`]) {
    const response = await off.fetch(path, { method: "POST", body: form("x") });
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, null]);
    expect(await response.json()).toMatchObject({
      code: "UPLOADS_DISABLED",
      detail: expect.stringContaining("--uploads-folder"),
    });
  }
});

test.each([
  ["../../etc/passwd", "passwd"],
  ["..\\..\\boot.ini", "boot.ini"],
  ["/etc/cron.d/x", "x"],
  ["..", ""],
  ["a\u0000b\u202e.txt", "ab.txt"],
  ["n".repeat(1_000), "n".repeat(255)],
])("a file name is only shown, and never becomes a path: %j", async (name, shown) => {
  await using host = await startUploads();
  const reply = await upload(host, form("x", name));
  expect(reply).toMatchObject({ status: 200, body: { name: shown } });
  expect(readdirSync(host.folder)).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/)]);
});

test.each([
  ["a.png", "text/html", "image/png"],
  ["a", "application/x-thing", "application/x-thing"],
  ["a", 'text/html"><script>', "application/octet-stream"],
  ["a", `a/${"b".repeat(200)}`, "application/octet-stream"],
])("the format of %s with the type %s is %s", async (name, type, format) => {
  await using host = await startUploads();
  const disposition = `Content-Disposition: form-data; name="file"; filename="${name}"`;
  const reply = await post(host, multipart([`${disposition}\r\nContent-Type: ${type}`, "x"]));
  expect(JSON.parse(reply.slice(reply.indexOf("\r\n\r\n")))).toMatchObject({ format });
});

/** Posts a file of this many bytes, with or without its length. Resolves to the status. */
async function postZeros(host: RunnerFixture, fileBytes: number, hasLength: boolean): Promise<number | undefined> {
  const before = Buffer.from(`--b\r\n${fileHeaders}\r\n\r\n`);
  const after = Buffer.from("\r\n--b--\r\n");
  const headers = {
    "content-type": "multipart/form-data; boundary=b",
    ...(hasLength && { "content-length": before.length + fileBytes + after.length }),
  };
  const zeros = Array.from({ length: Math.ceil(fileBytes / mebibyte) }, (_, index) =>
    Buffer.alloc(Math.min(mebibyte, fileBytes - index * mebibyte)),
  );
  const sent = request(new URL("/files", host.runner.url), { method: "POST", headers });
  sent.on("error", () => undefined); // The server closes the connection when it has answered.
  const answered = once(sent, "response");
  Readable.from([before, ...zeros, after]).pipe(sent);
  const [response] = await answered;
  response.resume();
  return response.statusCode;
}

test("a file of 50 MiB is accepted, and one byte more gets 413", async () => {
  await using host = await startUploads();
  expect(await postZeros(host, 50 * mebibyte, true)).toBe(200);
  const stored = readdirSync(host.folder);
  expect(await postZeros(host, 50 * mebibyte + 1, true)).toBe(413);
  await expect.poll(() => readdirSync(host.folder)).toEqual(stored);
});

test.each([true, false])("a body of 51 MB gets 413, and leaves no file; with Content-Length: %s", async (hasLength) => {
  await using host = await startUploads();
  expect(await postZeros(host, 51 * mebibyte, hasLength)).toBe(413);
  await expect.poll(() => readdirSync(host.folder)).toEqual([]);
});

test("bytes that are stored do not count as memory of the client", async () => {
  await using host = await startUploads();
  const statuses = await Promise.all([1, 2].map(() => postZeros(host, 20 * mebibyte, true)));
  expect(statuses).toEqual([200, 200]);
});

test.each([
  [
    "10,000 parts",
    multipart(
      ...Array.from({ length: 10_000 }, (_, n): [string, string] => [
        `Content-Disposition: form-data; name="${n}"`,
        "",
      ]),
    ),
  ],
  ["10,000 files", multipart(...Array.from({ length: 10_000 }, (): [string, string] => [fileHeaders, "x"]))],
  ["two files", multipart([fileHeaders, "x"], [fileHeaders, "y"])],
  ["an empty file", multipart([fileHeaders, ""])],
  ["a file in another field", multipart(['Content-Disposition: form-data; name="other"; filename="a"', "x"])],
  ["a field without a file", multipart(['Content-Disposition: form-data; name="file"', "x"])],
  ["17 fields beside the file", multipart(...fields(17), [fileHeaders, "x"])],
  ["17 nameless parts beside the file", multipart(...fields(17, "X: y"), [fileHeaders, "x"])],
  ["9,000 bytes of headers before the name", multipart([`X: ${"y".repeat(9_000)}\r\n${fileHeaders}`, "x"])],
  ["no parts", multipart()],
  ["no bytes", ""],
  ["no closing boundary", multipart([fileHeaders, "x"]).slice(0, -7)],
  ["only a boundary", "--b"],
  ["other text", "hello"],
  ["headers of a part of 1 MB", multipart([`${fileHeaders}; x="${"y".repeat(1_000_000)}"`, ""])],
])("a body with %s gets 400, and leaves no file", async (_what, body) => {
  await using host = await startUploads();
  const reply = await post(host, body);
  expect(reply).toMatch(/^HTTP\/1\.1 400 .*"code":"BODY_INVALID"/s);
  await expect.poll(() => readdirSync(host.folder)).toEqual([]);
});

test.each([
  "application/json",
  "text/plain",
  "multipart/mixed; boundary=b",
  "multipart/form-data",
  `multipart/form-data; boundary=${"b".repeat(300)}`,
])("the content type %s gets 400", async (type) => {
  await using host = await startUploads();
  const response = await host.fetch("/files", { method: "POST", headers: { "content-type": type }, body: "{}" });
  expect([response.status, await response.json()]).toMatchObject([400, { code: "BODY_INVALID" }]);
});

test("16 fields beside the file are ignored", async () => {
  await using host = await startUploads();
  expect(await post(host, multipart(...fields(16), [fileHeaders, "x"]))).toMatch(/^HTTP\/1\.1 200 /);
});

test("a boundary that makes the content type longer than 200 characters gets 400", async () => {
  await using host = await startUploads();
  const boundary = "b".repeat(171);
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  const body = multipart([fileHeaders, "x"]).replaceAll("--b", `--${boundary}`);
  const statusOf = async (more: object) => (await host.fetch("/files", { method: "POST", body, ...more })).status;
  expect(await statusOf({ headers })).toBe(400);
  const shorter = body.replaceAll(boundary, boundary.slice(1));
  const type = `multipart/form-data; boundary=${boundary.slice(1)}`;
  expect(await statusOf({ headers: { "content-type": type }, body: shorter })).toBe(200);
});

test("a client that leaves in the middle of a file leaves no file", async () => {
  await using host = await startUploads();
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(`${head("/files", "Content-Length: 1000000")}--b\r\n${fileHeaders}\r\n\r\n${"x".repeat(200_000)}`);
  await expect.poll(() => readdirSync(host.folder)).toEqual([expect.stringMatching(/\.part$/)]);
  socket.destroy();
  await expect.poll(() => readdirSync(host.folder)).toEqual([]);
  expect(host.log.messages("error")).toEqual([]);
});

test("of two files at once beyond the maximum, one remains", async () => {
  await using host = await startUploads({ maxFiles: 1 });
  const replies = await Promise.all([upload(host, form("a")), upload(host, form("b"))]);
  expect(replies.map(({ status }) => status)).toEqual([200, 200]);
  expect(readdirSync(host.folder)).toHaveLength(1);
});

test("the eleventh upload at the same time gets 503, and later ones are accepted again", async () => {
  await using host = await startUploads({ maxFiles: 0 });
  const sockets = Array.from({ length: 10 }, () => connect(Number(host.runner.url.port), "127.0.0.1"));
  for (const socket of sockets) {
    socket.write(`${head("/files", "Content-Length: 1000")}--b\r\n${fileHeaders}\r\n\r\nx`);
  }
  await expect.poll(() => readdirSync(host.folder)).toHaveLength(10);
  expect(await upload(host, form("x"))).toMatchObject({ status: 503, body: { code: "AT_CAPACITY" } });
  for (const socket of sockets) socket.destroy();
  await expect.poll(async () => (await upload(host, form("x"))).status).toBe(200);
});

test("a session may send 100 files", async () => {
  await using host = await startUploads({ maxFiles: 1 });
  const { body } = await host.post("/start");
  const path = `/sessions/${body.id}/files`;
  for (let index = 0; index < 100; index++) expect((await upload(host, form("x"), path)).status).toBe(200);
  expect(await upload(host, form("x"), path)).toMatchObject({ status: 429, body: { code: "AT_CAPACITY" } });
});

test("when the storage fails, the client gets 500 and the log has the error", async () => {
  const fileStorage: FileStorage = {
    save: () => Promise.reject(new Error("ENOSPC: no space left on device")),
    load: () => Promise.reject(new Error("unused")),
    delete: () => Promise.resolve(),
  };
  await using host = await startRunner({ fileStorage });
  const reply = await upload(host, form(new Blob([new Uint8Array(5 * mebibyte)])));
  expect(reply).toMatchObject({ status: 500, body: { code: "INTERNAL" } });
  expect(JSON.stringify(reply)).not.toContain("ENOSPC");
  expect(host.log.messages("error")).toEqual(["request failed"]);
});

test("/start replies with fileUploadUrl below the public URL, to clients that ignore unknown keys, if uploads are on", async () => {
  const extensible = fakePlugin({
    open: (runner) => ({
      start() {
        const { id } = runner.createSession();
        return { sessionId: id, body: { id }, extensible: true };
      },
    }),
  });
  await using on = await startUploads({ plugins: [extensible], publicUrl: "https://example.com/voice" });
  const { body } = await on.post("/start");
  expect(body).toEqual({ id: expect.any(String), fileUploadUrl: `/voice/sessions/${body.id}/files` });
  await using strict = await startUploads();
  expect((await strict.post("/start")).body).not.toHaveProperty("fileUploadUrl");
  await using off = await startRunner({ plugins: [extensible] });
  expect((await off.post("/start")).body).not.toHaveProperty("fileUploadUrl");
});

test("args.fileStorage is undefined when uploads are off", async () => {
  const calls: SessionArguments[] = [];
  await using host = await startRunner({ bot: (args) => void calls.push(args) });
  const { socket } = await host.call();
  await expect.poll(() => calls).toHaveLength(1);
  expect(calls[0]?.fileStorage).toBeUndefined();
  socket.terminate();
});

test("the banner of an exposed server without a key lists uploads", async () => {
  await using host = await startUploads({ host: "0.0.0.0" });
  expect(host.runner.unauthenticatedRoutes).toContain("POST /files");
  await using off = await startRunner({ host: "0.0.0.0" });
  expect(off.runner.unauthenticatedRoutes).not.toContain("POST /files");
});

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { Context } from "koa";
import { expect, test } from "vitest";
import { type RunnerFixture, startRunner } from "./test/fixture.ts";

const maxBodyBytes = 1024 * 1024;

/** A runner with a route that returns the body it received. */
function startEchoServer(): Promise<RunnerFixture> {
  return startRunner({
    prepare({ router }) {
      router.all("/echo", (ctx: Context) => {
        const { body, rawBody } = ctx.request as { body?: unknown; rawBody?: string };
        ctx.body = { body, raw: rawBody };
      });
    },
  });
}

/** Sends bytes that may not be valid HTTP, and returns the response as text. */
async function sendBytes(host: RunnerFixture, bytes: string | Buffer): Promise<string> {
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(bytes);
  return await text(socket);
}

function head(...headers: string[]): string {
  return ["POST /echo HTTP/1.1", "Host: localhost", "Connection: close", ...headers, "", ""].join("\r\n");
}

test.each([
  ["application/json", '{ "a" : [1, "é"] }', { a: [1, "é"] }],
  ["application/vnd.carrier+json; charset=utf-8", "[true]", [true]],
  ["application/x-www-form-urlencoded", "From=%2B1&To=2&To=3&__proto__=x", { From: "+1", To: "3" }],
  ["application/x-www-form-urlencoded", "a.b=1&c[d]=2&e[]=3", { "a.b": "1", "c[d]": "2", "e[]": "3" }],
  ["text/plain", "hello", "hello"],
])("a body of type %s is parsed, and rawBody is its exact text", async (type, sent, body) => {
  await using host = await startEchoServer();
  const response = await host.fetch("/echo", { method: "PUT", headers: { "content-type": type }, body: sent });
  expect(await response.json()).toEqual({ body, raw: sent });
});

test("a byte order mark in front of JSON is ignored", async () => {
  await using host = await startEchoServer();
  const headers = { "content-type": "application/json" };
  const response = await host.fetch("/echo", { method: "POST", headers, body: "\uFEFF[]" });
  expect(await response.json()).toMatchObject({ body: [] });
});

test("a request without a body has neither body nor rawBody", async () => {
  await using host = await startEchoServer();
  expect(await (await host.fetch("/echo")).json()).toEqual({});
});

test("multipart and binary bodies are left unread for their routes", async () => {
  await using host = await startEchoServer();
  const body = new FormData();
  body.set("file", new Blob([randomBytes(100)]));
  expect(await (await host.fetch("/echo", { method: "POST", body })).json()).toEqual({});
  const headers = { "content-type": "application/octet-stream" };
  expect(await (await host.fetch("/echo", { method: "POST", headers, body: "\u0001" })).json()).toEqual({});
});

test.each(["{", '{"a":}', "undefined", "{'a':1}", "\u0000", "[1,]", "NaN", "  "])(
  "malformed JSON is rejected with BODY_INVALID: %j",
  async (body) => {
    await using host = await startEchoServer();
    const headers = { "content-type": "application/json" };
    const response = await host.fetch("/echo", { method: "POST", headers, body });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ code: "BODY_INVALID", detail: expect.stringContaining("not valid JSON") });
  },
);

test("invalid UTF-8 is replaced by U+FFFD", async () => {
  await using host = await startEchoServer();
  const headers = { "content-type": "application/json" };
  const response = await host.fetch("/echo", { method: "POST", headers, body: Buffer.from([0x22, 0xff, 0xfe, 0x22]) });
  expect([response.status, await response.json()]).toMatchObject([200, { body: "\ufffd\ufffd" }]);
});

test("JSON with 400,000 levels is rejected, and the server continues", async () => {
  await using host = await startEchoServer();
  const headers = { "content-type": "application/json" };
  const body = "[".repeat(400_000) + "]".repeat(400_000);
  const response = await host.fetch("/start", { method: "POST", headers, body });
  expect(response.status).toBe(400);
  expect((await host.fetch("/livez")).status).toBe(200);
});

test("a body of 1 MiB is accepted, and one byte more is rejected", async () => {
  await using host = await startEchoServer();
  const exact = await host.fetch("/echo", { method: "POST", body: "x".repeat(maxBodyBytes) });
  expect(exact.status).toBe(200);
  const more = await host.fetch("/echo", { method: "POST", body: "x".repeat(maxBodyBytes + 1) });
  expect(more.status).toBe(413);
  expect(await more.json()).toMatchObject({ code: "BODY_TOO_LARGE", detail: expect.stringContaining("1048576") });
});

test("a body of 10 MiB is rejected, and the client receives the response, with and without Content-Length", async () => {
  await using host = await startEchoServer();
  const body = Buffer.alloc(10 * 1024 * 1024, 0x20);
  expect((await host.fetch("/start", { method: "POST", body })).status).toBe(413);
  const stream = new Blob([body]).stream();
  const chunked = await host.fetch("/start", { method: "POST", body: stream, duplex: "half" } as RequestInit);
  expect(chunked.status).toBe(413);
  expect((await host.fetch("/livez")).status).toBe(200);
});

test("a body with a length above the limit is rejected before it arrives", async () => {
  await using host = await startEchoServer();
  expect(await sendBytes(host, head("Content-Type: text/plain", "Content-Length: 10000000"))).toMatch(
    /^HTTP\/1\.1 413 /,
  );
  const endless = `${head("Content-Type: text/plain", "Transfer-Encoding: chunked")}180000\r\n${"x".repeat(0x120000)}`;
  expect(await sendBytes(host, endless)).toMatch(/^HTTP\/1\.1 413 /);
});

test.each([
  ["a body of 10 MB", 413, "Content-Type: text/plain"],
  ["a compressed body", 415, "Content-Encoding: gzip"],
])("the client receives the rejection of %s with Connection: close", async (_what, status, type) => {
  await using host = await startEchoServer();
  const body = "x".repeat(10_000_000);
  for (let attempt = 0; attempt < 5; attempt++) {
    const reply = await sendBytes(host, `${head(type, `Content-Length: ${body.length}`)}${body}`);
    expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  }
});

test("a client that asks for it is told that the connection closes, also when its body is rejected", async () => {
  await using host = await startEchoServer();
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.write(head("Content-Type: text/plain", "Content-Encoding: gzip", "Content-Length: 2"));
  const [first] = await once(socket, "data");
  expect(String(first)).toMatch(/^HTTP\/1\.1 415 .*\r\nConnection: close\r\n/s);
  socket.write("{}");
  await text(socket);
});

test.each([
  ["20,001 values", `[${"0,".repeat(20_000)}0]`, "more than 20000 values"],
  ["129 levels", `${"[".repeat(129)}${"]".repeat(129)}`, "more than 128 levels"],
])("JSON with %s gets 400 before it is parsed", async (_what, body, detail) => {
  await using host = await startEchoServer();
  const response = await host.fetch("/echo", { method: "POST", headers: { "content-type": "application/json" }, body });
  expect([response.status, await response.json()]).toEqual([
    400,
    { code: "BODY_INVALID", detail: expect.stringContaining(detail) },
  ]);
});

test("the chunks of a chunked body are joined", async () => {
  await using host = await startEchoServer();
  const reply = await sendBytes(
    host,
    `${head("Transfer-Encoding: chunked", "Content-Type: application/json")}3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n`,
  );
  expect(reply).toContain('{"body":{"a":1}');
});

test("a compressed body is rejected with 415", async () => {
  await using host = await startEchoServer();
  const headers = { "content-encoding": "gzip", "content-type": "application/json" };
  const response = await host.fetch("/echo", { method: "POST", headers, body: "x" });
  expect([response.status, await response.json()]).toEqual([415, expect.objectContaining({ code: "REQUEST_INVALID" })]);
});

test("bytes beyond Content-Length are not handled as a second request", async () => {
  await using host = await startEchoServer();
  const reply = await sendBytes(host, `${head("Content-Length: 2", "Content-Type: application/json")}{}{"more":1}`);
  expect(reply.match(/HTTP\/1\.1 (200|400)/g)).toHaveLength(1);
  expect((await host.fetch("/livez")).status).toBe(200);
  expect(host.log.messages("error")).toEqual([]);
});

test("a client that leaves before the end of its body is not logged as a server error", async () => {
  await using host = await startEchoServer();
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  socket.end(`${head("Content-Length: 100")}{`);
  await text(socket);
  expect((await host.fetch("/livez")).status).toBe(200);
  expect(host.log.messages("error")).toEqual([]);
});

test.each([
  ["two lengths", head("Content-Length: 2", "Content-Length: 3")],
  ["a length and chunks", `${head("Content-Length: 2", "Transfer-Encoding: chunked")}0\r\n\r\n`],
  ["a negative length", head("Content-Length: -1")],
  ["a length that is not a decimal number", head("Content-Length: 0x10")],
  ["a header without a colon", head("nonsense")],
  ["a header with a space before the colon", head("Transfer-Encoding : chunked")],
  ["binary data", Buffer.from([0, 1, 2, 3, 255, 254, 13, 10, 13, 10])],
  ["TLS", Buffer.from("1603010200010001fc0303", "hex")],
  ["a chunk size that is not a number", `${head("Transfer-Encoding: chunked")}zz\r\n`],
])("%s gets a 400 JSON response and the connection closes", async (_what, bytes) => {
  await using host = await startEchoServer();
  const reply = await sendBytes(host, bytes);
  expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(JSON.parse(reply.slice(reply.indexOf("\r\n\r\n")))).toMatchObject({ code: "REQUEST_INVALID" });
  expect((await host.fetch("/livez")).status).toBe(200);
});

test("headers above the size limit get a 431 JSON response", async () => {
  await using host = await startEchoServer();
  const reply = await sendBytes(host, head(`X-Long: ${"x".repeat(100_000)}`));
  expect(reply).toMatch(/^HTTP\/1\.1 431 /);
  expect(reply).toContain('"code":"REQUEST_INVALID"');
});

test("access is checked before the body is read: an endless body without a key gets 401, and its connection closes within about 1 s", async () => {
  await using host = await startRunner({ apiKey: "sixteen-characters" });
  const socket = connect(Number(host.runner.url.port), "127.0.0.1");
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.on("error", () => undefined); // The server closes the connection while the client writes.
  let received = "";
  socket.on("data", (data) => {
    received += data;
  });
  socket.write("POST /start HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  const writing = setInterval(() => socket.writable && socket.write("1\r\nx\r\n"), 5);
  const fromMs = performance.now();
  await expect.poll(() => received).toMatch(/^HTTP\/1\.1 401 .*"code":"KEY_REQUIRED"/s);
  expect(performance.now() - fromMs).toBeLessThan(900);
  await closed;
  clearInterval(writing);
  expect(performance.now() - fromMs).toBeLessThan(2_500);
  expect(host.runner.sessions.counts.pending).toBe(0);
});

test.each(["application/json", "application/x-www-form-urlencoded", "text/plain"])(
  "/start takes a body that a route of your own has read and passed on: %s",
  async (type) => {
    await using host = await startRunner({
      prepare: ({ router }) => void router.post("/start", (_ctx, next) => next()),
    });
    const init = { method: "POST", headers: { "content-type": type } };
    const response = await host.fetch("/start", { ...init, body: '{"body":{"a":1}}' });
    expect(response.status).toBe(200);
    const { id } = (await response.json()) as { id: string };
    expect(host.runner.sessions.find(id)?.body).toEqual({ a: 1 });
    expect((await host.fetch("/start", { ...init, body: "[]" })).status).toBe(400);
  },
);

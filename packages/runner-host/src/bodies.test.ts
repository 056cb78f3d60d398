import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import type { Context } from "koa";
import { expect, test } from "vitest";
import { maxBodyBytes } from "./body.ts";
import { type RunnerFixture, startRunner } from "./test/fixture.ts";

/** A runner with a route that tells what it got. */
function echoing(): Promise<RunnerFixture> {
  return startRunner({
    prepare({ router }) {
      router.all("/echo", (ctx: Context) => {
        const { body, rawBody } = ctx.request as { body?: unknown; rawBody?: Buffer };
        ctx.body = { body, raw: rawBody?.toString("base64") };
      });
    },
  });
}

/** What a server answers to these bytes, whatever they are. */
async function send(host: RunnerFixture, bytes: string | Buffer): Promise<string> {
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
  ["application/json", "\uFEFF{}", {}],
  ["application/json", "  ", undefined],
  ["application/x-www-form-urlencoded", "From=%2B1&To=2&To=3&__proto__=x", { From: "+1", To: "3" }],
  ["text/plain", "hello", "hello"],
  ["application/octet-stream", "\u0001\u0002", undefined],
])("a body of type %s is parsed, and its bytes are kept exactly", async (type, sent, body) => {
  await using host = await echoing();
  const response = await host.fetch("/echo", { method: "PUT", headers: { "content-type": type }, body: sent });
  const echoed = (await response.json()) as { body: unknown; raw: string };
  if (body === undefined) expect(echoed.body).toBeUndefined();
  else expect(echoed.body).toMatchObject(body as object);
  expect(Buffer.from(echoed.raw, "base64").toString()).toBe(sent);
});

test("without a body there is none", async () => {
  await using host = await echoing();
  expect(await (await host.fetch("/echo")).json()).toEqual({});
});

test("an upload is left to the route that wants it", async () => {
  await using host = await echoing();
  const body = new FormData();
  body.set("file", new Blob([randomBytes(100)]));
  expect(await (await host.fetch("/echo", { method: "POST", body })).json()).toEqual({});
});

test.each(["{", '{"a":}', "undefined", "{'a':1}", "\u0000", "[1,]", "NaN"])(
  "malformed JSON is refused by name: %j",
  async (body) => {
    await using host = await echoing();
    const headers = { "content-type": "application/json" };
    const response = await host.fetch("/echo", { method: "POST", headers, body });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ code: "BODY_INVALID", detail: expect.stringContaining("not valid JSON") });
  },
);

test("bytes that are no text are refused, and harm nobody", async () => {
  await using host = await echoing();
  const headers = { "content-type": "application/json" };
  const response = await host.fetch("/echo", { method: "POST", headers, body: Buffer.from([0x7b, 0xff, 0xfe]) });
  expect(await response.json()).toMatchObject({ code: "BODY_INVALID", detail: expect.stringContaining("UTF-8") });
});

test("JSON nested half a million deep is taken or refused, and the server lives", async () => {
  await using host = await echoing();
  const headers = { "content-type": "application/json" };
  const body = "[".repeat(400_000) + "]".repeat(400_000);
  const response = await host.fetch("/start", { method: "POST", headers, body });
  expect(response.status).toBe(400);
  expect((await host.fetch("/livez")).status).toBe(200);
});

test("a megabyte is taken, a byte more is not", async () => {
  await using host = await echoing();
  const exact = await host.fetch("/echo", { method: "POST", body: "x".repeat(maxBodyBytes) });
  expect(exact.status).toBe(200);
  const more = await host.fetch("/echo", { method: "POST", body: "x".repeat(maxBodyBytes + 1) });
  expect(more.status).toBe(413);
  expect(await more.json()).toMatchObject({ code: "BODY_TOO_LARGE", detail: expect.stringContaining("1048576") });
});

test("ten megabytes are refused, and the client sees the answer, whether it says the length or not", async () => {
  await using host = await echoing();
  const body = Buffer.alloc(10 * 1024 * 1024, 0x20);
  expect((await host.fetch("/start", { method: "POST", body })).status).toBe(413);
  const stream = new Blob([body]).stream();
  const chunked = await host.fetch("/start", { method: "POST", body: stream, duplex: "half" } as RequestInit);
  expect(chunked.status).toBe(413);
  expect((await host.fetch("/livez")).status).toBe(200);
});

test("a body that is going to be too large is refused without waiting for it", async () => {
  await using host = await echoing();
  expect(await send(host, head("Content-Length: 10000000"))).toMatch(/^HTTP\/1\.1 413 /);
  const endless = `${head("Transfer-Encoding: chunked")}180000\r\n${"x".repeat(0x120000)}`;
  expect(await send(host, endless)).toMatch(/^HTTP\/1\.1 413 /);
});

test.each([
  ["ten megabytes", 413, "Content-Type: text/plain"],
  ["a compressed body", 415, "Content-Encoding: gzip"],
])(
  "%s of a client that wants its connection closed are refused, and it sees the answer",
  async (_what, status, type) => {
    await using host = await echoing();
    const body = "x".repeat(10_000_000);
    for (let attempt = 0; attempt < 5; attempt++) {
      const reply = await send(host, `${head(type, `Content-Length: ${body.length}`)}${body}`);
      expect(reply).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  },
);

test("a chunked body is one body", async () => {
  await using host = await echoing();
  const reply = await send(
    host,
    `${head("Transfer-Encoding: chunked", "Content-Type: application/json")}3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n`,
  );
  expect(reply).toContain('{"body":{"a":1}');
});

test("a compressed body is refused rather than misread", async () => {
  await using host = await echoing();
  const headers = { "content-encoding": "gzip", "content-type": "application/json" };
  const response = await host.fetch("/echo", { method: "POST", headers, body: "x" });
  expect([response.status, await response.json()]).toEqual([415, expect.objectContaining({ code: "REQUEST_INVALID" })]);
});

test("what follows a body whose length promised less is not taken for a second request", async () => {
  await using host = await echoing();
  const reply = await send(host, `${head("Content-Length: 2", "Content-Type: application/json")}{}{"more":1}`);
  expect(reply.match(/HTTP\/1\.1 (200|400)/g)).toHaveLength(1);
  expect((await host.fetch("/livez")).status).toBe(200);
  expect(host.log.messages("error")).toEqual([]);
});

test("a client that promises more than it sends and goes away is no error of the server", async () => {
  await using host = await echoing();
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
  ["a length that is no number", head("Content-Length: 0x10")],
  ["a header without a colon", head("nonsense")],
  ["a header with a space before the colon", head("Transfer-Encoding : chunked")],
  ["binary junk", Buffer.from([0, 1, 2, 3, 255, 254, 13, 10, 13, 10])],
  ["TLS", Buffer.from("1603010200010001fc0303", "hex")],
  ["a chunk size that is no number", `${head("Transfer-Encoding: chunked")}zz\r\n`],
])("%s is answered 400 JSON and the connection closed", async (_what, bytes) => {
  await using host = await echoing();
  const reply = await send(host, bytes);
  expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(JSON.parse(reply.slice(reply.indexOf("\r\n\r\n")))).toMatchObject({ code: "REQUEST_INVALID" });
  expect((await host.fetch("/livez")).status).toBe(200);
});

test("headers without end are answered 431 JSON", async () => {
  await using host = await echoing();
  const reply = await send(host, head(`X-Long: ${"x".repeat(100_000)}`));
  expect(reply).toMatch(/^HTTP\/1\.1 431 /);
  expect(reply).toContain('"code":"REQUEST_INVALID"');
});

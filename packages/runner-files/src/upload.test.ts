import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { FileStorage } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { leastProcessorMs } from "../../runner-core/src/test/processor-time.ts";
import { receiveFile } from "./upload.ts";

const mebibyte = 1024 * 1024;
/** Eight times the most expensive body below. */
const byteNanos = 40;
const fileHeaders = 'Content-Disposition: form-data; name="file"; filename="a.txt"';
const longBoundary = "a".repeat(69);

const discarding: FileStorage = {
  async save(content) {
    for await (const _ of content);
    return "pipecat:x";
  },
  load: () => Promise.reject(new Error("unused")),
  delete: () => Promise.resolve(),
};

function requestOf(body: Buffer, boundary: string): IncomingMessage {
  const pieces = Array.from({ length: Math.ceil(body.length / 65_536) }, (_, n) =>
    body.subarray(n * 65_536, (n + 1) * 65_536),
  );
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  return Object.assign(Readable.from(pieces), { headers, complete: true }) as unknown as IncomingMessage;
}

function multipart(headers: string, content: Buffer, boundary = "b"): Buffer {
  return Buffer.concat([
    Buffer.from(`--${boundary}\r\n${headers}\r\n\r\n`),
    content,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
}

test.each<[string, Buffer, string?]>([
  ["line breaks", multipart(fileHeaders, Buffer.alloc(4 * mebibyte, "\r\n"))],
  ["beginnings of boundaries", multipart(fileHeaders, Buffer.alloc(4 * mebibyte, "\r\n--"))],
  [
    "nearly boundaries",
    multipart(fileHeaders, Buffer.alloc(4 * mebibyte, `\r\n--${longBoundary}`), `${longBoundary}b`),
    `${longBoundary}b`,
  ],
  [
    "one repeated letter",
    multipart(fileHeaders, Buffer.alloc(4 * mebibyte, "a"), `b${longBoundary}`),
    `b${longBoundary}`,
  ],
  ["file names in one header", multipart(`${fileHeaders}${'filename="'.repeat(400_000)}x`, Buffer.from("x"))],
  ["headers of a part", multipart(`${fileHeaders}${"\r\nA: b".repeat(600_000)}`, Buffer.from("x"))],
  [
    "bytes before the first boundary",
    Buffer.concat([Buffer.alloc(4 * mebibyte), multipart(fileHeaders, Buffer.from("x"))]),
  ],
  ["bytes of a field", multipart('Content-Disposition: form-data; name="x"', Buffer.alloc(4 * mebibyte))],
])("a body of 4 MiB of %s takes little time", async (_what, body, boundary = "b") => {
  const ms = await leastProcessorMs(
    () => receiveFile(requestOf(body, boundary), discarding).catch(() => undefined), // Some of them are invalid.
  );
  expect((ms * 1e6) / body.length).toBeLessThan(byteNanos);
});

test("a request whose client left before it was read is rejected", async () => {
  const request = requestOf(Buffer.from("x"), "b");
  Object.assign(request, { complete: false }).destroy();
  await once(request, "close");
  await expect(receiveFile(request, discarding)).rejects.toMatchObject({ code: "REQUEST_INVALID" });
});

test("bytes that belong to no part are bounded too", async () => {
  const body = Buffer.concat([Buffer.alloc(51 * mebibyte), multipart(fileHeaders, Buffer.from("x"))]);
  await expect(receiveFile(requestOf(body, "b"), discarding)).rejects.toThrow(
    expect.objectContaining({ code: "BODY_TOO_LARGE" }),
  );
});

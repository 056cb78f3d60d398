import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readCapture } from "./read.ts";

const header = {
  ...{ format: "pipecat-runner capture", version: 1, session: "5f", transport: "fake", plugin: "fake" },
  ...{ startedAt: "2026-11-29T18:00:00.000Z", media: false },
};
const ended = { t: 9, type: "state", state: "ended", reason: "caller-left" };

function write(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-capture-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "call.jsonl");
  writeFileSync(file, text);
  return file;
}

const request = { t: 2, type: "http", method: "POST", url: "/start", status: 200, durationMs: 4 };
const lines = (...objects: readonly object[]) => objects.map((object) => `${JSON.stringify(object)}\n`).join("");

test("events are returned in the order in which they began", async () => {
  const key = { t: 5, type: "key", key: "1" };
  const call = await readCapture(write(lines(header, key, request, ended)));
  expect(call).toMatchObject({ session: "5f", transport: "fake", media: false });
  expect(call.events).toEqual([request, key, ended]);
});

test.each([
  ["an empty file", "", "CAPTURE_INVALID", /It is empty\.$/],
  ["another file", "hello\n", "CAPTURE_INVALID", /It is not a capture\.$/],
  [
    "a header without fields",
    lines({ format: header.format, version: 1 }),
    "CAPTURE_INVALID",
    /Line 1 lacks fields\.$/,
  ],
  [
    "a newer version",
    lines({ ...header, version: 2 }, ended),
    "CAPTURE_VERSION",
    /has version 2 of the format\. This one reads 1\.$/,
  ],
  ["a cut line", lines(header, ended).slice(0, -9), "CAPTURE_INCOMPLETE", /lacks its end: line 2 is the last one\.$/],
  ["a cut header", lines(header).slice(0, 20), "CAPTURE_INVALID", /It is not a capture\.$/],
  ["a missing end", lines(header, { t: 5, type: "key", key: "1" }), "CAPTURE_INCOMPLETE", /line 2 is the last one\.$/],
  ["an unknown event", lines(header, { t: 1, type: "moon" }, ended), "CAPTURE_INVALID", /Line 2 is not an event\.$/],
  ["a damaged event", lines(header, { t: 1, type: "open", socket: 0, url: "/" }, ended), "CAPTURE_INVALID", /Line 2/],
  ["a negative time", lines(header, { ...request, durationMs: -40_000 }, ended), "CAPTURE_INVALID", /Line 2/],
  ["a time that no timer can wait", lines(header, { ...request, t: 3e9 }, ended), "CAPTURE_INVALID", /Line 2/],
])("%s is rejected", async (_, text, code, message) => {
  await expect(readCapture(write(text))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
    fix: expect.any(String),
  });
});

test("a file that cannot be read is rejected with the reason", async () => {
  await expect(readCapture("/nowhere/call.jsonl")).rejects.toMatchObject({
    code: "CAPTURE_INVALID",
    message: expect.stringMatching(/^\/nowhere\/call\.jsonl cannot be replayed\. The file does not exist\./),
  });
});

test.each(["http://vendor.example/ws", "//vendor.example/ws", "/\\vendor.example/ws"])(
  "a socket at %s is rejected: a replay contacts its own runner only",
  async (url) => {
    const text = lines(header, { t: 1, type: "open", socket: 1, url }, ended);
    await expect(readCapture(write(text))).rejects.toMatchObject({ code: "CAPTURE_INVALID" });
  },
);

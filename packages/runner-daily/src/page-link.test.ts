import { EventEmitter } from "node:events";
import { RunnerError } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import type { WebSocket } from "ws";
import { createPageLink, parseAudio, parseMessage } from "./page-link.ts";

/** A link whose page sends what `receive` gets. */
function openLink() {
  const sent: unknown[] = [];
  const socket = Object.assign(new EventEmitter(), { send: (text: string) => sent.push(JSON.parse(text)) });
  const nothing = () => undefined;
  const page = createPageLink(socket as unknown as WebSocket, {
    event: nothing,
    audio: nothing,
    played: nothing,
    lost: nothing,
  });
  const receive = (message: object) => socket.emit("message", Buffer.from(JSON.stringify(message)), false);
  return { page, receive, sent };
}

describe("requests to the page", () => {
  test("have an id, and are answered in any order", async () => {
    const { page, receive, sent } = openLink();
    const answers = [
      page.request({ command: "call", method: "one" }),
      page.request({ command: "call", method: "two" }),
    ];
    receive({ id: 2, result: "second" });
    receive({ id: 1, result: "first" });
    expect(await Promise.all(answers)).toEqual(["first", "second"]);
    expect(sent).toEqual([
      { command: "call", method: "one", id: 1 },
      { command: "call", method: "two", id: 2 },
    ]);
  });

  test("reject with Daily's text, without phone numbers", async () => {
    const { page, receive } = openLink();
    const request = page.request({ command: "call" });
    receive({ id: 1, error: { type: "dialout", message: "cannot call +1 (555) 123-4567 now" } });
    await expect(request).rejects.toMatchObject({
      code: "DAILY_CALL_FAILED",
      message: "Daily refused: dialout: cannot call +… now",
      cause: { type: "dialout", message: "cannot call +… now" },
    });
  });

  test("reject when the page is gone, also later ones", async () => {
    const { page, sent } = openLink();
    const request = page.request({ command: "call" });
    const ended = new RunnerError("CALL_ENDED", "ended");
    page.end(ended);
    page.end(new RunnerError("CALL_ENDED", "ended again"));
    await expect(request).rejects.toBe(ended);
    await expect(page.request({ command: "leave" })).rejects.toBe(ended);
    expect(sent).toHaveLength(1);
  });
});

describe("parseAudio", () => {
  /** Source 7 at 48,000 Hz with the samples 1, -1. */
  const packet = Buffer.from("0700000080bb00000100ffff", "hex");

  test("returns number, rate and samples", () => {
    const samples = Int16Array.from([1, -1]);
    expect(parseAudio(packet)).toEqual({ number: 7, frame: { samples, sampleRate: 48_000, channels: 1 } });
  });

  test("copies the samples, because the socket reuses its memory", () => {
    const bytes = Buffer.from(packet);
    const audio = parseAudio(bytes);
    bytes.fill(0);
    expect(audio?.frame.samples).toEqual(Int16Array.from([1, -1]));
  });

  test.each([
    ["an empty message", Buffer.alloc(0)],
    ["a header without samples", packet.subarray(0, 8)],
    ["half a sample", packet.subarray(0, 11)],
    ["a rate of 0", Buffer.from("070000000000000001000000", "hex")],
    ["a rate of 4 GHz", Buffer.from("07000000ffffffff01000000", "hex")],
  ])("rejects %s", (_, bytes) => {
    expect(parseAudio(bytes)).toBeUndefined();
  });
});

test("parseMessage rejects text that is not JSON", () => {
  expect(parseMessage("{")).toBeUndefined();
  expect(parseMessage('{"event":"played","mark":"m"}')).toEqual({ event: "played", mark: "m" });
});

import { EventEmitter } from "node:events";
import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import type { WebSocket } from "ws";
import { createPageLink } from "./page-link.ts";

/** A link to a page that says what it is told to. */
function link() {
  const sent: unknown[] = [];
  const socket = Object.assign(new EventEmitter(), { send: (text: string) => sent.push(JSON.parse(text)) });
  const nothing = () => undefined;
  const page = createPageLink(socket as unknown as WebSocket, {
    event: nothing,
    audio: nothing,
    played: nothing,
    lost: nothing,
  });
  const say = (message: object) => socket.emit("message", Buffer.from(JSON.stringify(message)), false);
  return { page, say, sent };
}

test("a page is asked by number, and answers in any order", async () => {
  const { page, say, sent } = link();
  const answers = [page.ask({ command: "call", method: "one" }), page.ask({ command: "call", method: "two" })];
  say({ id: 2, result: "second" });
  say({ id: 1, result: "first" });
  expect(await Promise.all(answers)).toEqual(["first", "second"]);
  expect(sent).toEqual([
    { command: "call", method: "one", id: 1 },
    { command: "call", method: "two", id: 2 },
  ]);
});

test("what Daily refuses is told in its words, without numbers", async () => {
  const { page, say } = link();
  const asked = page.ask({ command: "call" });
  say({ id: 1, error: { type: "dialout", message: "cannot call +1 (555) 123-4567 now" } });
  await expect(asked).rejects.toMatchObject({
    code: "DAILY_CALL_FAILED",
    message: "Daily refused: dialout: cannot call +… now",
    cause: { type: "dialout", message: "cannot call +… now" },
  });
});

test("a page that is gone answers nothing that it was asked, nor what it is asked later", async () => {
  const { page, sent } = link();
  const asked = page.ask({ command: "call" });
  const gone = new RunnerError("CALL_ENDED", "gone");
  page.end(gone);
  page.end(new RunnerError("CALL_ENDED", "gone again"));
  await expect(asked).rejects.toBe(gone);
  await expect(page.ask({ command: "leave" })).rejects.toBe(gone);
  expect(sent).toHaveLength(1);
});

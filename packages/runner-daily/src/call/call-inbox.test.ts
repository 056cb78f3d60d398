import { expect, test } from "vitest";
import { createCallInbox } from "./call-inbox.ts";
import type { DailyCallListener } from "./daily-call.ts";

test("what a call tells is kept until somebody is told, in order, and then told at once", () => {
  const told: unknown[] = [];
  const to: DailyCallListener = {
    event: ({ action }) => told.push(action),
    audio: (participantId) => told.push(`audio of ${participantId}`),
    played: (mark) => told.push(`played ${mark}`),
    lost: ({ message }) => told.push(message),
  };
  const { listener, open } = createCallInbox();
  listener.event({ action: "joined-meeting" });
  listener.audio("ann", "audio", { samples: new Int16Array(1), sampleRate: 48_000, channels: 1 });
  listener.played("m");
  listener.lost(new Error("lost"));
  expect(told).toEqual([]);
  open(to);
  const early = ["joined-meeting", "audio of ann", "played m", "lost"];
  expect(told).toEqual(early);
  listener.event({ action: "left-meeting" });
  expect(told).toEqual([...early, "left-meeting"]);
});

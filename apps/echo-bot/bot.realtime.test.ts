import { type BotCall, callBot, tone } from "@pipecat-ts/runner-testing";
import { afterEach, expect, test, vi } from "vitest";
import { bot } from "./bot.ts";

vi.setConfig({ testTimeout: 30_000, expect: { poll: { timeout: 10_000 } } });

let call: BotCall;
// Also after a failed test.
afterEach(() => call.hangUp());

test("plays back the caller's audio, and logs no error", async () => {
  call = await callBot(bot, { transport: "webrtc" });
  await call.say(tone(440, { durationMs: 1_000 }));
  await call.hears({ pitchHz: 440 });
  expect(await call.hangUp()).toBe("caller-left");
  expect(call.logger.lines.filter(({ level }) => level === "error")).toEqual([]);
});

test("continues after an interruption", async () => {
  call = await callBot(bot, { transport: "webrtc" });
  await call.say(tone(440, { durationMs: 500 }));
  call.send("client-message", { t: "interrupt" });
  await call.hearsSilence();
  await call.say(tone(330, { durationMs: 1_000 }));
  await call.hears({ pitchHz: 330 });
});

test("answers text and keys with text", async () => {
  call = await callBot(bot, { transport: "webrtc" });
  call.send("send-text", { content: "hello" });
  call.press("5");
  await expect.poll(() => call.received("bot-output")).toHaveLength(2);
  expect(call.received("bot-output")).toMatchObject([{ text: "You wrote: hello" }, { text: "You pressed: 5" }]);
});

import { type BotCall, callBot, excerpt, findVoice, join, measurePitch, tone } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { bot } from "./bot.ts";

vi.setConfig({ testTimeout: 30_000 });

let call: BotCall;
beforeEach(async () => {
  call = await callBot(bot, { transport: "webrtc" });
});
afterEach(() => call.hangUp());

test("plays back the caller's audio, and logs no warning", async () => {
  await call.say(tone(440, { durationMs: 1_000 }));
  expect(heardHz()).toBe(440);
  expect(await call.hangUp()).toBe("caller-left");
  expect(call.logger.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
});

test("continues after an interruption", async () => {
  await call.say(tone(440, { durationMs: 500 }));
  call.send("client-message", { t: "interrupt" });
  await call.say(tone(330, { durationMs: 1_000 }));
  expect(heardHz()).toBe(330);
});

test("answers text and keys with text", async () => {
  call.send("send-text", { content: "hello" });
  call.press("5");
  await expect.poll(() => call.received("bot-output")).toHaveLength(2);
  expect(call.received("bot-output")).toMatchObject([{ text: "You wrote: hello" }, { text: "You pressed: 5" }]);
});

/** The pitch of the last 200 ms that the caller has heard, rounded to 10 Hz. */
function heardHz(): number {
  const audio = join(call.playout.played().map(({ frame }) => frame));
  const { toMs } = findVoice(audio) ?? { toMs: 0 };
  return Math.round((measurePitch(excerpt(audio, toMs - 200, toMs)) ?? 0) / 10) * 10;
}

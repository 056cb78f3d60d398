import { setTimeout as sleep } from "node:timers/promises";
import { excerpt, join, measurePitch, tone } from "@pipecat-ts/audio";
import { createTransport, type SessionArguments } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { callBot } from "./call-bot.ts";
import { countSettledResources, resourceGrowth } from "./resources.ts";

const audio = () => ({});

test("a simulated caller hears the bot, exchanges messages, and hangs up", async () => {
  const call = await callBot(
    async (args) => {
      const transport = await createTransport(args, { twilio: audio });
      transport.on("dtmf", (key) => void transport.sendMessage({ type: "key", data: { key, ...args.callData } }));
      transport.on("appMessage", (message) => void transport.sendMessage(message));
      await transport.input.pipeTo(transport.output);
    },
    { transport: "twilio", callData: { streamId: "s", callId: "c" }, rtvi: false },
  );
  call.send("greeting", "hello");
  call.press("5");
  await expect.poll(() => call.received("greeting")).toEqual(["hello"]);
  await expect.poll(() => call.received("key")).toEqual([{ key: "5", streamId: "s", callId: "c" }]);
  await call.say(tone(440, { durationMs: 1_000 }));
  const heard = join(call.playout.played().map(({ frame }) => frame));
  expect(measurePitch(excerpt(heard, 400, 800))).toBeCloseTo(440, -1);
  expect(await call.hangUp()).toBe("caller-left");
  await call.say(tone(440, { durationMs: 100 }));
});

test("the runner answers the caller's application", async () => {
  const call = await callBot(async (args) => {
    const transport = await createTransport(args, { webrtc: audio });
    await transport.closed;
  });
  await expect.poll(() => call.received("bot-ready")).toHaveLength(1);
  await call.hangUp();
});

test("a caller who sends no silence sends audio only while speaking", async () => {
  let frames = 0;
  const call = await callBot(
    async (args) => {
      const transport = await createTransport(args, { webrtc: audio });
      for await (const _frame of transport.input) frames++;
    },
    { sendsSilence: false },
  );
  await sleep(300);
  expect(frames).toBe(0);
  await call.say(tone(440, { durationMs: 300 }));
  expect(await call.hangUp()).toBe("caller-left");
  expect(frames).toBe(15);
});

test("the body and the flags reach the bot, and its end ends the call", async () => {
  const bot = vi.fn((_args: SessionArguments) => undefined);
  const options = { body: { plan: "gold" }, cliArgs: { mood: "calm" } };
  const call = await callBot(bot, options);
  expect(await call.ended).toBe("bot-finished");
  expect(bot.mock.lastCall?.[0]).toMatchObject({ transport: "webrtc", ...options });
});

test("a bot that throws ends the call, and the log has the error", async () => {
  const error = new Error("no plan");
  const call = await callBot(() => Promise.reject(error));
  expect(await call.ended).toBe("bot-failed");
  expect(call.logger.lines).toContainEqual(
    expect.objectContaining({ fields: expect.objectContaining({ err: error }) }),
  );
});

test("nothing remains after a call", async () => {
  const before = await countSettledResources();
  const call = await callBot(async (args) => {
    const transport = await createTransport(args, { webrtc: audio });
    await transport.input.pipeTo(transport.output);
  });
  const spoken = vi.fn();
  void call.say(tone(440, { durationMs: 60_000 })).then(spoken);
  await call.hangUp();
  await expect.poll(() => spoken.mock.calls.length).toBe(1);
  expect(resourceGrowth(before, await countSettledResources())).toEqual([]);
});

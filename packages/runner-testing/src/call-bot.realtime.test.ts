import { setTimeout as sleep } from "node:timers/promises";
import { excerpt, join, measureLevel, measurePitch, tone } from "@pipecat-ts/audio";
import { createTransport, type SessionArguments } from "@pipecat-ts/runner-core";
import { expect, test, vi } from "vitest";
import { connectBot } from "./bots.ts";
import { type BotCall, callBot } from "./call-bot.ts";
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

test("what the caller says at another rate than the microphone's silence reaches the bot completely", async () => {
  let voiceMs = 0;
  const call = await callBot(async (args) => {
    const transport = await createTransport(args, { webrtc: audio });
    for await (const frame of transport.input) if (measureLevel(frame) > -20) voiceMs += 20;
  });
  await sleep(100);
  for (const sampleRate of [24_000, 24_000, 8_000]) {
    await call.say(tone(440, { durationMs: 600, sampleRate }));
    await sleep(100);
  }
  await call.hangUp();
  expect(voiceMs).toBeGreaterThanOrEqual(1_740);
});

test("messages are what JSON makes of them, in both directions", async () => {
  const received: unknown[] = [];
  const message = { at: new Date(0), url: new URL("https://a.example/"), none: undefined };
  const call = await callBot(
    async (args) => {
      const transport = await createTransport(args, { webrtc: audio });
      transport.on("appMessage", (each) => received.push(each));
      await transport.sendMessage(message);
      await expect(transport.sendMessage({ large: 1n })).rejects.toThrow(TypeError);
      await transport.closed;
    },
    { rtvi: false },
  );
  call.sendMessage(message);
  const json = { at: "1970-01-01T00:00:00.000Z", url: "https://a.example/" };
  await expect.poll(() => received).toStrictEqual([json]);
  await expect.poll(() => call.messages).toStrictEqual([json]);
  expect(await call.hangUp()).toBe("caller-left");
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

/** Greets the caller for 2 s and hears nothing. */
async function greeter(args: SessionArguments): Promise<void> {
  const transport = await connectBot(args);
  await transport.output.getWriter().write(tone(440, { durationMs: 2_000, sampleRate: 24_000 }));
  await transport.closed;
}

test.each<[string, (call: BotCall) => unknown]>([
  ["speaks", (call) => call.say(tone(200, { durationMs: 100 }))],
  ["presses a key", (call) => call.press("5")],
  ["sends an RTVI message", (call) => call.send("send-text", { content: "hello" })],
  ["sends a message", (call) => call.sendMessage({ hello: true })],
])("the rest of a greeting does not pass for an answer after the caller %s", async (_name, act) => {
  const call = await callBot(greeter);
  await expect.poll(() => call.playout.played().length).toBeGreaterThan(0);
  await act(call);
  await expect(call.hears({ withinMs: 500 })).rejects.toThrow("That sound began before the caller last spoke");
  await call.hangUp();
});

/** Plays a tone, and throws when the caller sends a message. */
async function crasher(args: SessionArguments): Promise<void> {
  const transport = await connectBot(args);
  const { promise, reject } = Promise.withResolvers<never>();
  transport.on("appMessage", () => reject(new Error("no plan")));
  void transport.output
    .getWriter()
    .write(tone(440, { durationMs: 5_000, sampleRate: 24_000 }))
    .catch(() => undefined);
  await promise;
}

/** Calls a bot that crashes in the middle of its speech. */
async function callCrasher(): Promise<BotCall> {
  const call = await callBot(crasher, { rtvi: false });
  await call.hears();
  call.sendMessage({ please: "crash" });
  return call;
}

test("a bot that crashes is not a bot that was interrupted", async () => {
  const call = await callCrasher();
  await expect(call.hearsSilence()).rejects.toThrow(
    "The caller hears nothing because the call failed. The bot failed: Error: no plan",
  );
  await expect(call.hears({ withinMs: 100 })).rejects.toThrow("The bot failed: Error: no plan");
  await call.hangUp();
});

test("await using throws when the bot crashed, and keeps the error of the test", async () => {
  const crashed = "The bot failed: Error: no plan";
  const use = async (test: (call: BotCall) => unknown) => {
    await using call = await callCrasher();
    await sleep(100);
    await test(call);
  };
  await expect(use(() => undefined)).rejects.toThrow(crashed);
  await expect(use(() => Promise.reject(new Error("of the test")))).rejects.toMatchObject({
    error: { message: crashed },
    suppressed: { message: "of the test" },
  });
  await expect(use((call) => call.hearsSilence())).rejects.toThrow(/^The caller hears nothing/);
  await use((call) => call.hangUp());
  await use((call) => call.ended);
});

import { test } from "node:test";
import { tone } from "@pipecat-ts/audio";
import { connectBot, echo } from "../../bots.ts";
import { callBot } from "../../call-bot.ts";

// Tests for `node --test`, which fail. The environment variable FORM selects one.

test("an abandoned call", { skip: process.env.FORM !== "const" }, async () => {
  const call = await callBot(echo);
  await call.say(tone(440, { durationMs: 500 }));
  await call.hears({ pitchHz: 880, withinMs: 500 });
  await call.hangUp();
});

test("a call that ends with its test", { skip: process.env.FORM !== "await using" }, async () => {
  await using call = await callBot(echo);
  await call.say(tone(440, { durationMs: 500 }));
  await call.hears({ pitchHz: 880, withinMs: 500 });
});

test("a bot that takes 12 s to answer", { skip: process.env.FORM !== "patient" }, async () => {
  await using call = await callBot(async (args) => {
    const transport = await connectBot(args);
    await new Promise((resolve) => setTimeout(resolve, 12_000).unref());
    await transport.output.getWriter().write(tone(440, { durationMs: 400 }));
    await transport.closed;
  });
  await call.hears({ pitchHz: 880, withinMs: 13_000 });
});

import {
  createRecordingLogger,
  cut,
  excerpt,
  findVoice,
  join,
  measurePitch,
  tone,
  until,
} from "@pipecat-ts/runner-testing";
import plugin from "@pipecat-ts/runner-websocket/plugin";
import { createRunner, type Runner } from "pipecat-runner";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectCaller, type WebSocketCaller } from "../../packages/runner-websocket/src/fake-caller.ts";
import { bot } from "./bot.ts";

let runner: Runner;
let caller: WebSocketCaller;
let logger: ReturnType<typeof createRecordingLogger>;

beforeEach(async () => {
  logger = createRecordingLogger();
  runner = createRunner({ bot, plugins: [plugin], host: "127.0.0.1", port: 0, env: {}, logger });
  await runner.listen();
  caller = await connectCaller(`ws://127.0.0.1:${runner.url.port}/ws-client`);
});
afterEach(async () => {
  caller.drop();
  await runner.close();
});

test("greets with a chime of three rising notes, shorter than half a second", async () => {
  await until("the chime is over", () => heardMs() > 300 && silentMs() > 200, 2_000);
  const chime = excerpt(heard(), findVoice(heard())?.fromMs ?? 0);
  const pitches = [10, 90, 170].map((atMs) => measurePitch(excerpt(chime, atMs, atMs + 70)));
  expect(heardMs()).toBeLessThan(500);
  expect(pitches[0]).toBeCloseTo(523, -1);
});

test("echoes the caller, and goes on after an interruption", async () => {
  await speak(440, 600);
  await until("the echo is heard", () => pitchOf(200) === 440, 3_000);

  caller.sendMessage({ type: "interrupt" });
  await until("the bot is interrupted", () => interruptions() === 1, 1_000);
  caller.sendMessage({ label: "rtvi-ai", type: "client-message", id: "1", data: { t: "interrupt" } });
  await until("the bot is interrupted again", () => interruptions() === 2, 1_000);

  await speak(330, 600);
  await until("the next words are heard", () => pitchOf(200) === 330, 3_000);
});

test("answers text with text", async () => {
  caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } });
  caller.sendMessage({ label: "rtvi-ai", type: "send-text", id: "2", data: { content: "hello" } });
  await until("the bot answers", () => caller.messages.length >= 2, 2_000);
  expect(caller.messages).toContainEqual(
    expect.objectContaining({ type: "bot-output", data: expect.objectContaining({ text: "You wrote: hello" }) }),
  );
});

test("ends well when the caller leaves, also in the middle of the chime", async () => {
  await until("the chime begins", () => caller.frames.length > 0, 2_000);
  await caller.hangUp();
  await until("the session is over", () => runner.sessions.counts.active === 0, 2_000);
  expect(logger.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  expect(logger.lines.at(-1)).toMatchObject({ fields: { reason: "caller-left" } });
});

function heard() {
  return join(caller.speaker.heard().map(({ frame }) => frame));
}

function heardMs(): number {
  const { fromMs, toMs } = findVoice(heard()) ?? { fromMs: 0, toMs: 0 };
  return toMs - fromMs;
}

function silentMs(): number {
  return performance.now() - (caller.speaker.heard().at(-1)?.atMs ?? performance.now()) - 40;
}

/** The pitch in Hz of what was heard last, to the nearest ten. */
function pitchOf(lastMs: number): number {
  const audio = heard();
  const { toMs } = findVoice(audio) ?? { toMs: 0 };
  return Math.round((measurePitch(excerpt(audio, toMs - lastMs, toMs)) ?? 0) / 10) * 10;
}

function interruptions(): number {
  return caller.frames.filter((frame) => frame.case === "interruption").length;
}

/** Speaks a tone in real time. */
async function speak(hz: number, durationMs: number): Promise<void> {
  const startedAt = performance.now();
  for (const [index, frame] of cut(tone(hz, { durationMs })).entries()) {
    await until("the next frame is due", () => performance.now() >= startedAt + index * 20, 1_000);
    caller.speak(frame);
  }
}

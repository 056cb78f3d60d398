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
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { connectCaller, type WebSocketCaller } from "../../packages/runner-websocket/src/test/fake-caller.ts";
import { bot } from "./bot.ts";

vi.setConfig({ testTimeout: 30_000 });
const patienceMs = 10_000;
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
  await until("the chime is over", () => heardMs() > 300 && silentMs() > 200, patienceMs);
  const chime = excerpt(heard(), findVoice(heard())?.fromMs ?? 0);
  const pitches = [10, 90, 170].map((atMs) => measurePitch(excerpt(chime, atMs, atMs + 70)));
  expect(heardMs()).toBeLessThan(500);
  expect(pitches[0]).toBeCloseTo(523, -1);
});

test("echoes the caller, and goes on after an interruption", async () => {
  await speakUntilEchoed(440);

  caller.sendMessage({ type: "interrupt" });
  await until("the bot is interrupted", () => interruptions() === 1, patienceMs);
  caller.sendMessage({ label: "rtvi-ai", type: "client-message", id: "1", data: { t: "interrupt" } });
  await until("the bot is interrupted again", () => interruptions() === 2, patienceMs);

  await speakUntilEchoed(330);
});

test("answers text with text", async () => {
  caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.1.0" } });
  caller.sendMessage({ label: "rtvi-ai", type: "send-text", id: "2", data: { content: "hello" } });
  await until("the bot answers", () => caller.messages.length >= 2, patienceMs);
  expect(caller.messages).toContainEqual(
    expect.objectContaining({ type: "bot-output", data: expect.objectContaining({ text: "You wrote: hello" }) }),
  );
});

test("ends well when the caller leaves, also in the middle of the chime", async () => {
  await until("the chime begins", () => caller.frames.length > 0, patienceMs);
  await caller.hangUp();
  await until("the session is over", () => runner.sessions.counts.active === 0, patienceMs);
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

/** Speaks a tone in real time until 200 ms of it were heard. */
async function speakUntilEchoed(hz: number): Promise<void> {
  const frames = cut(tone(hz, { durationMs: patienceMs }));
  const startedAt = performance.now();
  let spoken = 0;
  const echoed = () => {
    for (; performance.now() >= startedAt + spoken * 20; spoken++) {
      const frame = frames[spoken];
      if (frame) caller.speak(frame);
    }
    return pitchOf(200) === hz;
  };
  await until(`${hz} Hz is echoed`, echoed, patienceMs);
}

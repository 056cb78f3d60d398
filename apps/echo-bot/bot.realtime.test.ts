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
const timeoutMs = 10_000;
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

test("echoes its first caller and logs no warning until the caller leaves", async () => {
  await speakUntilEchoed(440, 2_000);
  await caller.hangUp();
  await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
  expect(logger.lines.filter(({ level }) => level === "warn" || level === "error")).toEqual([]);
  expect(logger.lines.at(-1)).toMatchObject({ fields: { reason: "caller-left" } });
});

test("continues to echo after an interruption", async () => {
  await speakUntilEchoed(440);
  sendRTVI("client-message", { t: "interrupt" });
  await until(
    "the bot is interrupted",
    () => caller.frames.some(({ case: kind }) => kind === "interruption"),
    timeoutMs,
  );
  await speakUntilEchoed(330);
});

test("answers text and keys with text", async () => {
  sendRTVI("client-ready", { version: "2.1.0" });
  sendRTVI("send-text", { content: "hello" });
  sendRTVI("dtmf", { buttons: ["5"] });
  await until("the bot has answered", () => caller.messages.length >= 3, timeoutMs);
  const texts = caller.messages.flatMap((message) => (message as { data?: { text?: string } }).data?.text ?? []);
  expect(texts).toEqual(["You wrote: hello", "You pressed: 5"]);
});

function sendRTVI(type: string, data: unknown): void {
  caller.sendMessage({ label: "rtvi-ai", type, id: type, data });
}

/** Sends a tone in real time for at least `durationMs`, until the last 200 ms of the bot's audio have its pitch. */
async function speakUntilEchoed(hz: number, durationMs = 0): Promise<void> {
  const frames = cut(tone(hz, { durationMs: timeoutMs }));
  const startedAt = performance.now();
  let sent = 0;
  const echoed = () => {
    for (; performance.now() >= startedAt + sent * 20; sent++) {
      const frame = frames[sent];
      if (frame) caller.sendAudio(frame);
    }
    return sent * 20 >= durationMs && echoedHz() === hz;
  };
  await until(`${hz} Hz is echoed`, echoed, timeoutMs);
}

/** The pitch of the last 200 ms of the bot's audio, rounded to 10 Hz. */
function echoedHz(): number {
  const audio = join(caller.playout.played().map(({ frame }) => frame));
  const { toMs } = findVoice(audio) ?? { toMs: 0 };
  return Math.round((measurePitch(excerpt(audio, toMs - 200, toMs)) ?? 0) / 10) * 10;
}

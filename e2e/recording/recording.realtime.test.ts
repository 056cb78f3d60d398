import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, cut, measurePitch, tone, until } from "@pipecat-ts/runner-testing";
import plugin from "@pipecat-ts/runner-websocket/plugin";
import { createTransport, encodePcm16, parseWav, type RunnerArguments, recordCall } from "pipecat-runner";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";

vi.setConfig({ testTimeout: 40_000 });
const timeoutMs = 15_000;
let folder = "";
const releases: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(joinPath(tmpdir(), "recording-"));
});
afterEach(async () => {
  for (const release of releases.splice(0).reverse()) await release();
  rmSync(folder, { recursive: true });
});

/** Starts a runner in this process. */
async function start(bot: (args: RunnerArguments) => Promise<void>) {
  const logger = createRecordingLogger();
  const runner = createRunner({ bot, plugins: [plugin], host: "127.0.0.1", port: 0, env: {}, logger });
  await runner.listen();
  releases.push(() => runner.close());
  return { runner, logger };
}

/** Opens a call that speaks RTVI as JSON. */
async function openCall(origin: string): Promise<WebSocket> {
  const socket = new WebSocket(`${origin.replace("http", "ws")}/ws-client`);
  releases.push(() => socket.terminate());
  await once(socket, "open");
  socket.send(JSON.stringify({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.2.0" } }));
  return socket;
}

/** Sends a tone in real time. */
async function sendTone(socket: WebSocket, durationMs: number): Promise<void> {
  for (const { samples, sampleRate, channels } of cut(tone(440, { durationMs }))) {
    const base64Audio = Buffer.from(encodePcm16(samples)).toString("base64");
    socket.send(
      JSON.stringify({
        label: "rtvi-ai",
        type: "raw-audio",
        id: "1",
        data: { base64Audio, sampleRate, numChannels: channels },
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function channelOf(file: string, channel: 0 | 1) {
  const { samples, sampleRate, channels } = parseWav(readFileSync(file));
  expect(channels).toBe(2);
  return { samples: samples.filter((_, index) => index % 2 === channel), sampleRate, channels: 1 };
}

/** Where sound begins, and how much of it there is, in ms: a busy machine may pause in between. */
function soundOf({ samples, sampleRate }: ReturnType<typeof channelOf>) {
  const isLoud = (sample: number) => Math.abs(sample) > 1_000;
  const begin = samples.findIndex(isLoud);
  const blocks = cut({ samples, sampleRate, channels: 1 }).filter((block) => block.samples.some(isLoud));
  const sound = samples.subarray(begin, samples.findLastIndex(isLoud));
  return { beginMs: (begin / sampleRate) * 1000, loudMs: blocks.length * 20, samples: sound };
}

test("a recording has the caller left and the bot right, in time, and is complete when the session ends", async () => {
  const path = joinPath(folder, "call.wav");
  /** Between the caller's first frame and the bot's answer: the caller sends slowly on a busy machine. */
  let answeredAfterMs = 0;
  const { runner, logger } = await start(async (args) => {
    const transport = await createTransport(args, { websocket: () => ({}) });
    const recording = await recordCall(args, transport, { path });
    await expect(recordCall(args, transport, { path })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const heard = transport.input.getReader();
    await heard.read();
    const heardAtMs = performance.now();
    for (let frames = 1; frames < 50; frames++) await heard.read();
    answeredAfterMs = performance.now() - heardAtMs;
    const speech = transport.speak();
    void speech.write(tone(880, { durationMs: 600, sampleRate: 24_000 }));
    await speech.end();
    void recording.done.then((file) => args.session.logger.info(file, "recorded"));
  });
  const socket = await openCall(runner.url.origin);
  await sendTone(socket, 1_500);
  await until("the session ends", () => logger.lines.some(({ message }) => message === "session ended"), timeoutMs);

  const size = statSync(path).size;
  const caller = channelOf(path, 0);
  expect(size).toBe(44 + caller.samples.length * 4);
  const left = soundOf(caller);
  const right = soundOf(channelOf(path, 1));
  expect(measurePitch({ ...caller, samples: left.samples.slice(0, 8_000) })).toBeCloseTo(440, -1);
  expect(measurePitch({ ...caller, samples: right.samples.slice(0, 8_000) })).toBeCloseTo(880, -1);
  expect(right.loudMs).toBeGreaterThan(570);
  expect(right.loudMs).toBeLessThan(640);
  const lateMs = right.beginMs - left.beginMs - answeredAfterMs;
  expect(lateMs).toBeGreaterThan(-100);
  expect(lateMs).toBeLessThan(300);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(statSync(path).size).toBe(size);
});

test("the file of a process that is killed is valid and lacks at most two seconds", async () => {
  const path = joinPath(folder, "killed.wav");
  const args = ["packages/runner-cli/src/main.ts", "e2e/recording/bot.ts"];
  const child = spawn(process.execPath, [...args, "-t", "websocket", "--port", "0", "--host", "127.0.0.1"], {
    cwd: joinPath(import.meta.dirname, "../.."),
    env: { ...process.env, RECORDING: path },
    stdio: ["ignore", "pipe", "pipe"],
  });
  releases.push(() => child.kill("SIGKILL"));
  let printed = "";
  child.stderr.on("data", (chunk) => (printed += chunk));
  child.stdout.on("data", (chunk) => (printed += chunk));
  const address = () => /http:\/\/(?:localhost|127\.0\.0\.1):\d+/.exec(printed)?.[0];
  await until("the runner listens", () => address() !== undefined, timeoutMs);
  await openCall(address() ?? "");
  await until("the recording begins", () => statSync(path, { throwIfNoEntry: false }) !== undefined, timeoutMs);
  const beganMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, 4_000));
  child.kill("SIGKILL");
  const recordedMs = performance.now() - beganMs;
  await once(child, "exit");
  const bot = channelOf(path, 1);
  expect(readFileSync(path).readUInt32LE(40)).toBe(bot.samples.length * 4);
  expect((bot.samples.length / bot.sampleRate) * 1000).toBeGreaterThan(recordedMs - 2_000);
  const { samples } = soundOf(bot);
  expect(samples.filter((sample) => Math.abs(sample - 5_000) <= 5).length).toBeGreaterThan(0.9 * samples.length);
});

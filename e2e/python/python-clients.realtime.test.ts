import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type AudioFrame, parseWav } from "@pipecat-ts/audio";
import type { CallerVideo, Snapshot } from "@pipecat-ts/runner-core";
import {
  createRecordingLogger,
  excerpt,
  findVoice,
  join as joinFrames,
  measurePitch,
  until,
} from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { createRTVI, createRunner, createTransport } from "pipecat-runner";
import { describe, expect, onTestFinished, test } from "vitest";

/** A Python that has Pipecat 1.14 and aiortc: `pnpm test:python` sets it. */
const python = process.env.PIPECAT_PYTHON;
const callerHz = 440;
const timeout = 90_000;

interface Call {
  /** What the caller printed. */
  readonly printed: readonly unknown[];
  /** What the caller heard. */
  readonly played: AudioFrame;
  /** What the bot heard. */
  readonly heard: AudioFrame;
  readonly pictures: readonly Snapshot[];
  readonly endedWith: unknown;
}

/** Runs a caller of this folder against an echo bot until it hangs up. */
async function call(path: string, protocol: "http" | "ws", ...args: readonly string[]): Promise<Call> {
  const logger = createRecordingLogger();
  const heard: AudioFrame[] = [];
  const pictures: Snapshot[] = [];
  const runner = createRunner({
    async bot(args) {
      const transport = await createTransport(args, {
        webrtc: () => ({ videoInEnabled: true }),
        websocket: () => ({}),
      });
      const rtvi = createRTVI(transport);
      rtvi.on("sendText", ({ content }) => {
        void rtvi.botLlmStarted();
        void rtvi.botLlmText(`You wrote: ${content}`);
        void rtvi.botLlmStopped();
      });
      rtvi.on("clientMessage", ({ type }) => type === "interrupt" && transport.interrupt());
      void takePictures(transport.video, pictures);
      const writer = transport.output.getWriter();
      for await (const frame of transport.input) {
        heard.push(frame);
        await writer.write(frame);
      }
    },
    plugins: [webrtc, websocket],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  });
  onTestFinished(() => runner.close());
  await runner.listen();
  const folder = await mkdtemp(join(tmpdir(), "python-"));
  onTestFinished(() => rm(folder, { recursive: true }));

  const [script = "", ...kind] = args;
  const url = `${protocol}://127.0.0.1:${runner.url.port}${path}`;
  const file = join(folder, "heard.wav");
  const { stdout } = await promisify(execFile)(String(python), [join(import.meta.dirname, script), ...kind, url, file]);
  const isEnd = ({ message }: { readonly message: string }) => message === "session ended";
  await until("the session ends", () => logger.lines.some(isEnd), 15_000);
  return {
    printed: JSON.parse(stdout) as unknown[],
    played: parseWav(await readFile(file)),
    heard: joinFrames(heard),
    pictures,
    endedWith: logger.lines.find(isEnd)?.fields.reason,
  };
}

/** Takes a picture of the camera, and one of the screen unless it sends nothing. */
async function takePictures(video: CallerVideo | undefined, pictures: Snapshot[]): Promise<void> {
  for (const source of video ? (["camera", "screen"] as const) : [])
    try {
      pictures.push((await video?.snapshot({ source })) ?? expect.fail("no video"));
    } catch (error) {
      expect(error).toMatchObject({ code: "VIDEO_TIMED_OUT" });
    }
}

/** Fails unless there is at least a second of the caller's voice. */
function expectVoice(audio: AudioFrame, who: string): void {
  const { fromMs, toMs } = findVoice(audio) ?? expect.fail(`${who} heard nothing`);
  expect(toMs - fromMs, `ms of voice that ${who} heard`).toBeGreaterThan(2_000);
  const middle = excerpt(audio, fromMs + 500, fromMs + 1_500);
  expect(measurePitch(middle), who).toBeCloseTo(callerHz, -1);
  // The tone has an amplitude of 8,000: louder samples would be clicks.
  expect(Math.max(...middle.samples), who).toBeLessThan(10_000);
}

describe.skipIf(python === undefined)("Pipecat 1.14 in Python (pnpm test:python)", () => {
  // With its default policy, aiortc 1.16 leaves the second video section on a transport that it has closed.
  test.each([
    ["balanced", ["camera"]],
    ["max-bundle", ["camera", "screen"]],
  ])("aiortc with audio, two video sections and a data channel, %s", { timeout }, async (policy, sources) => {
    const caller = await call("/api/offer", "http", "aiortc_caller.py", policy);
    expectVoice(caller.heard, "the bot");
    expectVoice(caller.played, "aiortc");
    const types = caller.printed.map((message) => (message as { readonly type: string }).type);
    expect(types).toEqual(expect.arrayContaining(["bot-ready", "bot-llm-text", "bot-interrupted"]));
    expect(caller.pictures.map(({ source }) => source)).toEqual(sources);
    for (const { width, height } of caller.pictures) expect([width, height]).toEqual([640, 480]);
    expect(caller.endedWith).toBe("caller-left");
  });

  test("WebsocketClientTransport, with protobuf frames", { timeout }, async () => {
    const { printed, played, heard, endedWith } = await call("/ws-client", "ws", "pipecat_caller.py", "websocket");
    expectVoice(heard, "the bot");
    expectVoice(played, "the client");
    expect(printed).toEqual(expect.arrayContaining(["bot-ready", "bot-llm-text", "InterruptionFrame"]));
    expect(endedWith).toBe("caller-left");
  });

  test("RTVIClientTransport, with JSON, which carries the caller's audio only", { timeout }, async () => {
    const { printed, played, heard, endedWith } = await call("/ws-client", "ws", "pipecat_caller.py", "rtvi");
    expectVoice(heard, "the bot");
    expect(played.samples).toHaveLength(0);
    expect(printed).toEqual(expect.arrayContaining(["bot-ready", "LLMTextFrame: You wrote: hello"]));
    expect(printed).toEqual(expect.arrayContaining(["BotStartedSpeakingFrame", "InterruptionFrame"]));
    expect(endedWith).toBe("caller-left");
  });
});

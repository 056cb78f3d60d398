import { decodePcm16, encodePcm16 } from "@pipecat-ts/audio";

import { type Bot, createTransport, type Snapshot, type Transport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, cut, join, measurePitch, tone, until, within } from "@pipecat-ts/runner-testing";
import type { WebSocketParams } from "@pipecat-ts/runner-websocket";
import plugin from "@pipecat-ts/runner-websocket/plugin";
import { createRTVI } from "pipecat-runner";
import { afterEach, describe, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { encodeMessage } from "../../packages/runner-websocket/src/codec.ts";

vi.setConfig({ testTimeout: 30_000 });
const timeoutMs = 10_000;
const runners: Runner[] = [];
const sockets: WebSocket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.terminate();
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
});

/** A PNG file of 3 x 2 pixels. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAFUlEQVR4nGM8IafBwMDAwMDAxAADABPYARJY7Kp/AAAAAElFTkSuQmCC";

interface Message {
  readonly label: string;
  readonly type: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

describe("a caller whose first message is RTVI as text", () => {
  test("gets RTVI as text, with the capabilities of the call", async () => {
    const { caller } = await call(echo());
    caller.ready();
    await until("bot-ready arrives", () => caller.messages.length > 0, timeoutMs);
    expect(caller.messages).toMatchObject([
      {
        label: "rtvi-ai",
        type: "bot-ready",
        id: "ready",
        data: {
          version: "2.2.0",
          capabilities: { audio_in: true, audio_out: true, video_in: false, screen_in: false, video_out: false },
        },
      },
    ]);
  });

  test("learns which audio the bot's params disable", async () => {
    const { caller } = await call(echo({ audioInEnabled: false, audioOutEnabled: false }));
    caller.ready();
    await until("bot-ready arrives", () => caller.messages.length > 0, timeoutMs);
    expect(caller.messages[0]?.data).toMatchObject({ capabilities: { audio_in: false, audio_out: false } });
  });

  test("speaks with raw-audio, and does not get the bot's audio, but when the bot speaks", async () => {
    const { caller, heard } = await call(echo());
    caller.ready();
    caller.speak(tone(440, { durationMs: 400 }));
    await until("the bot stops speaking", () => caller.types().includes("bot-stopped-speaking"), timeoutMs);
    expect(measurePitch(join(heard.slice(5, 15)))).toBeCloseTo(440, -1);
    expect(caller.types()).toEqual(["bot-ready", "bot-started-speaking", "bot-stopped-speaking"]);
    expect(caller.binary).toBe(0);
  });

  test("learns of an interruption by RTVI alone", async () => {
    const { caller, transport } = await call(echo());
    caller.ready();
    caller.speak(tone(440, { durationMs: 400 }));
    await until("the bot speaks", () => caller.types().includes("bot-started-speaking"), timeoutMs);
    (await transport).interrupt();
    await until("the bot has stopped", () => caller.types().includes("bot-stopped-speaking"), timeoutMs);
    expect(caller.types().slice(0, 4)).toEqual([
      "bot-ready",
      "bot-started-speaking",
      "bot-interrupted",
      "bot-stopped-speaking",
    ]);
    expect(caller.binary).toBe(0);
  });

  test("gets text also if its first message comes late", async () => {
    const { caller, transport } = await call(echo());
    await within("the bot does not wait for ever", transport, timeoutMs);
    caller.ready();
    await until("bot-ready arrives", () => caller.types().includes("bot-ready"), timeoutMs);
    expect(caller.binary).toBe(0);
  });

  test("can send 300 messages at once, and 100 per second", async () => {
    const received: unknown[] = [];
    const { caller, transport } = await call(echo());
    caller.ready();
    (await transport).on("appMessage", (message) => received.push(message));
    const sentAtMs = performance.now();
    for (let n = 0; n < 1_000; n++) caller.send("client-message", { t: `${n}` });
    await until("the bot gets what is allowed", () => received.length >= 299, timeoutMs);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(received.length).toBeLessThanOrEqual(300 + (100 * (performance.now() - sentAtMs)) / 1_000);
  });
});

describe("an eval harness", () => {
  test("that captures the bot's audio gets it as text, in real time and with its pitch", async () => {
    const { caller } = await call(echo());
    caller.connectEval({ skip_tts: false, capture_bot_audio: true });
    caller.ready();
    caller.speak(tone(440, { durationMs: 400 }));
    await until("the bot stops speaking", () => caller.types().includes("bot-stopped-speaking"), timeoutMs);
    const frames = caller.messages.filter(({ type }) => type === "eval-bot-audio").map(({ data }) => decode(data));
    expect(frames.length).toBeGreaterThan(8);
    expect(frames[0]).toMatchObject({ sampleRate: 24_000, samples: { length: 960 } });
    expect(measurePitch(join(frames.slice(2, 8)))).toBeCloseTo(440, -1);
  });

  test("that skips speech finds and leaves a silent bot, which knows it before it listens", async () => {
    const { caller, transport } = await call(echo());
    caller.connectEval({ skip_tts: true, capture_bot_audio: true });
    caller.ready();
    expect((await transport).capabilities).toMatchObject({ audioIn: true, audioOut: false });
    const { playedMs } = await (await transport).play(utterance()).done;
    expect(playedMs).toBe(0);
    caller.speak(tone(440, { durationMs: 400 }));
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(caller.types()).toEqual(["bot-ready"]);
    expect(caller.messages[0]?.data).toMatchObject({ capabilities: { audio_in: true, audio_out: false } });
  });

  test("shows its pictures as a camera to a bot that looks", async () => {
    const bot = echo({ videoInEnabled: true });
    const { caller, transport } = await call(bot);
    caller.connectEval({});
    caller.ready();
    const { video, capabilities } = await transport;
    expect(capabilities).toMatchObject({ videoIn: true, screenIn: false });
    await expect(video?.snapshot({ source: "camera" })).rejects.toMatchObject({ code: "VIDEO_OFF" });
    await expect(video?.snapshot({ source: "screen" })).rejects.toMatchObject({ code: "VIDEO_SOURCE_MISSING" });
    caller.send("client-message", { t: "eval-image", d: { image: png, format: "image/jpeg" } });
    caller.send("client-message", { t: "eval-image", d: { image: "bm90IGFuIGltYWdl", format: "image/png" } });
    const taken: Snapshot[] = [];
    for await (const picture of video?.frames({ source: "camera", every: 200 }) ?? []) {
      taken.push(picture);
      if (taken.length === 2) caller.socket.close();
    }
    expect(taken).toMatchObject(Array(2).fill({ source: "camera", type: "image/png", width: 3, height: 2 }));
    expect(Buffer.from(taken[0]?.data ?? []).toString("base64")).toBe(png);
  });

  test("that does not say so, or whose bot does not look, has no camera", async () => {
    const messages: unknown[] = [];
    const { caller, transport } = await call(echo({ videoInEnabled: true }));
    caller.ready();
    (await transport).on("appMessage", (message) => messages.push(message));
    expect((await transport).video).toBeUndefined();
    caller.send("client-message", { t: "eval-image", d: { image: png, format: "image/png" } }, "i1");
    await until("the bot gets the message", () => messages.some((message) => Object(message).id === "i1"), timeoutMs);
    const blind = await call(echo());
    blind.caller.connectEval({});
    expect((await blind.transport).video).toBeUndefined();
    expect((await blind.transport).capabilities.videoIn).toBe(false);
  });

  test("ends the call with eval-cancel", async () => {
    const logger = createRecordingLogger();
    const { caller, transport } = await call(echo(), logger);
    caller.connectEval({});
    await transport;
    caller.send("client-message", { t: "eval-cancel", d: {} });
    expect(await within("the socket closes", caller.closed, timeoutMs)).toBe("1000 ended-by-request");
  });
});

test("a caller whose first message is binary gets no text", async () => {
  const { caller } = await call(echo());
  caller.socket.send(
    encodeMessage({ label: "rtvi-ai", type: "client-ready", id: "ready", data: { version: "2.2.0" } }),
  );
  caller.ready();
  await until("bot-ready arrives", () => caller.binary > 0, timeoutMs);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([caller.binary, caller.messages]).toEqual([1, []]);
});

interface Echo {
  readonly bot: Bot;
  readonly transport: Promise<Transport>;
  readonly heard: ReturnType<typeof tone>[];
}

function echo(params: WebSocketParams = {}): Echo {
  const created = Promise.withResolvers<Transport>();
  const heard: ReturnType<typeof tone>[] = [];
  async function bot(args: Parameters<Bot>[0]) {
    const transport = await createTransport(args, { websocket: () => params });
    createRTVI(transport);
    created.resolve(transport);
    const writer = transport.output.getWriter();
    for await (const frame of transport.input) {
      heard.push(frame);
      await writer.write(frame);
    }
    await transport.closed;
  }
  return { bot, transport: created.promise, heard };
}

/** Connects a caller that sends text to a bot of its own. */
async function call({ bot, transport, heard }: Echo, logger = createRecordingLogger()) {
  const runner = createRunner({ bot, plugins: [plugin], host: "127.0.0.1", port: 0, env: {}, logger });
  runners.push(runner);
  await runner.listen();
  const socket = new WebSocket(`ws://127.0.0.1:${runner.url.port}/ws-client?skip_tts=true`);
  sockets.push(socket);
  const messages: Message[] = [];
  const caller = {
    socket,
    messages,
    /** The number of binary messages. */
    binary: 0,
    closed: new Promise<string>((resolve) => socket.once("close", (code, reason) => resolve(`${code} ${reason}`))),
    types: () => messages.map(({ type }) => type),
    send(type: string, data: unknown, id = "1") {
      socket.send(JSON.stringify({ label: "rtvi-ai", type, id, data }));
    },
    connectEval: (flags: object) => caller.send("client-message", { t: "eval-connect", d: flags }, "eval-connect"),
    ready: () => caller.send("client-ready", { version: "2.2.0", about: { library: "pipecat" } }, "ready"),
    speak(audio: ReturnType<typeof tone>) {
      for (const { samples, sampleRate, channels } of cut(audio)) {
        const base64Audio = Buffer.from(encodePcm16(samples)).toString("base64");
        caller.send("raw-audio", { base64Audio, sampleRate, numChannels: channels });
      }
    },
  };
  socket.on("message", (data, isBinary) => {
    if (isBinary) caller.binary += 1;
    else messages.push(JSON.parse(String(data)));
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return { caller, transport, heard };
}

async function* utterance() {
  yield tone(440, { durationMs: 200 });
}

function decode(data: Message["data"]): ReturnType<typeof tone> {
  const samples = decodePcm16(Buffer.from(String(data?.audio), "base64"));
  return { samples, sampleRate: Number(data?.sampleRate), channels: 1 };
}

import type { CallerVideo } from "@pipecat-ts/runner-core";
import { cut, tone } from "@pipecat-ts/runner-testing";
import { describe, expect, onTestFinished, test } from "vitest";
import type { WebRTCParams } from "./arguments.ts";
import type { Connection } from "./connection.ts";
import { openWebRTCPort } from "./port.ts";
import { loadOpus, type Opus, type OpusEncoderOptions } from "./voice/opus.ts";
import { createSteadyPacer } from "./voice/test/steady-pacer.ts";

/** A port for these params over a connection that records what the port does. */
async function openPort(params: WebRTCParams = {}, state: Connection["state"] = "connected") {
  const events: string[] = [];
  const encoders: OpusEncoderOptions[] = [];
  const loaded = await loadOpus();
  const opus: Opus = {
    ...loaded,
    createEncoder(options) {
      encoders.push(options);
      return loaded.createEncoder(options);
    },
  };
  const pacer = createSteadyPacer(0);
  const connection: Connection = {
    pcId: "s.1",
    state,
    left: Promise.withResolvers<never>().promise,
    connected: Promise.resolve(),
    answer: () => expect.unreachable(),
    addCandidate: () => expect.unreachable(),
    reportTo: () => expect.unreachable(),
    renegotiate: () => expect.unreachable(),
    hungUp: () => expect.unreachable(),
    acceptVideo() {
      events.push("video");
      return {} as CallerVideo;
    },
    videoSources: ["camera"],
    setInputSampleRate: (sampleRate) => void events.push(`input ${sampleRate}`),
    endKeepalive: () => 7,
    onLoss: () => undefined,
    sendMessage: async () => undefined,
    sendAudio: (_, timestamp) => void events.push(`audio ${timestamp}`),
    close: async (reason) => void events.push(`close ${reason}`),
  };
  const port = openWebRTCPort(connection, { params, opus, pacer });
  const deadline = new AbortController();
  onTestFinished(() => port.close("shutdown", deadline.signal));
  return { port, pacer, events, encoders, deadline };
}

const frames = cut(tone(440, { durationMs: 40, sampleRate: 48_000 }));

/** Lets the encoder be created. */
const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe("params", () => {
  test.each([
    [{}, "input 16000"],
    [{ audioInSampleRate: 8_000 }, "input 8000"],
    [{ audioInEnabled: false }, "input 0"],
  ])("%j: %s", async (params, expected) => {
    expect((await openPort(params)).events).toEqual([expected]);
  });

  test.each([
    [{}, { bitrate: undefined, complexity: undefined, dtx: undefined }],
    [
      { audioOutBitrate: 6_000, audioOutComplexity: 10, audioOutDtx: true },
      { bitrate: 6_000, complexity: 10, dtx: true },
    ],
    [
      { audioOutBitrate: 510_000, audioOutComplexity: 0 },
      { bitrate: 510_000, complexity: 0, dtx: undefined },
    ],
  ])("%j reach the encoder", async (params, expected) => {
    const { port, encoders } = await openPort(params);
    for (const frame of frames) port.send(frame);
    expect(encoders).toEqual([{ ...expected, sampleRate: 48_000, fec: false }]);
  });

  test.each([
    [{ audioOutBitrate: 5_999 }, "audioOutBitrate cannot be 5999", "from 6000 to 510000"],
    [{ audioOutBitrate: 510_001 }, "audioOutBitrate cannot be 510001", "from 6000 to 510000"],
    [{ audioOutBitrate: Number.NaN }, "audioOutBitrate cannot be NaN", "from 6000 to 510000"],
    [{ audioOutComplexity: 11 }, "audioOutComplexity cannot be 11", "from 0 to 10"],
    [{ audioOutComplexity: -1 }, "audioOutComplexity cannot be -1", "from 0 to 10"],
    [{ audioOutComplexity: 2.5 }, "audioOutComplexity cannot be 2.5", "from 0 to 10"],
  ])("%j are rejected", async (params, message, fix) => {
    await expect(openPort(params)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining(message),
      fix: expect.stringContaining(fix),
    });
  });
});

test.each([
  [{}, { videoIn: false, screenIn: false }, [], {}],
  [{ videoInEnabled: true }, { videoIn: true, screenIn: false }, ["video"], { video: {} }],
])(
  "with %j, video is received from the sections that the caller offers",
  async (params, capabilities, accepted, own) => {
    const { port, events } = await openPort(params);
    expect(port.capabilities).toEqual(capabilities);
    expect(events.slice(1)).toEqual(accepted);
    expect(port.extend?.({} as never)).toEqual(own);
  },
);

test("continues the timestamps of the keepalive silence", async () => {
  const { port, events } = await openPort();
  for (const frame of frames) port.send(frame);
  await nextTurn();
  expect(events.slice(1)).toEqual(["audio 7", "audio 967"]);
});

describe("close()", () => {
  test("sends 200 ms of silence after the bot's last words", async () => {
    const { port, pacer, events, deadline } = await openPort();
    for (const frame of frames) port.send(frame);
    await nextTurn();
    const closed = port.close("bot-finished", deadline.signal);
    pacer.advanceTo(200);
    await closed;
    expect(events.slice(1)).toEqual([
      ...Array.from({ length: 12 }, (_, n) => `audio ${7 + n * 960}`),
      "close bot-finished",
    ]);
    expect(pacer.timers).toBe(0);
  });

  test("sends no more silence after the deadline", async () => {
    const { port, pacer, events, deadline } = await openPort();
    for (const frame of frames) port.send(frame);
    await nextTurn();
    const closed = port.close("bot-finished", deadline.signal);
    deadline.abort();
    pacer.advanceTo(20);
    await closed;
    expect(events.slice(1)).toEqual(["audio 7", "audio 967", "audio 1927", "close bot-finished"]);
  });

  test.each([
    ["caller-left", "connected"],
    ["bot-finished", "waiting"],
  ] as const)("sends no silence when the reason is %s and the connection is %s", async (reason, state) => {
    const { port, events, deadline } = await openPort({}, state);
    await port.close(reason, deadline.signal);
    expect(events.slice(1)).toEqual([`close ${reason}`]);
  });
});

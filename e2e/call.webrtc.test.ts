import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav, excerpt, findVoice, measurePitch, parseWav, tone } from "@pipecat-ts/audio";
import { countSettledResources, settleResources } from "@pipecat-ts/runner-testing";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { callCommand } from "../packages/runner-cli/src/call/call-command.ts";
import { expectEndings, expectNoGrowth } from "./server/expectations.ts";
import { type Server, type ServerTransport, startServer } from "./server/server.ts";

// `pipecat-runner call` against a runner in another process.

const transports: readonly ServerTransport[] = ["websocket", "webrtc", "twilio", "telnyx", "plivo", "exotel", "vonage"];
const apiKey = "a-key-of-16-letters";
const folder = join(import.meta.dirname, "../apps/echo-bot");

let server: Server;
beforeAll(async () => {
  server = await startServer({ transports });
});
afterAll(async () => await server[Symbol.asyncDispose]());
afterEach(() => {
  server.takeLog();
  vi.restoreAllMocks();
});

/** Runs the command. Resolves to its exit code and its output. */
async function call(argv: readonly string[], port: number = server.port) {
  const output: string[] = [];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => output.push(String(text)) > 0);
  const address = ["--url", `http://127.0.0.1:${port}`, "--project", folder];
  const code = await callCommand([...argv, ...address]);
  vi.restoreAllMocks();
  return { code, text: output.join("") };
}

describe.each(transports)("%s", (transport) => {
  test("20 calls at once are answered, the bot is heard in each, and neither side holds anything afterwards", async () => {
    await call([transport, "--hang-up", "300ms"]); // loads the code
    await expectEndings(server, { "caller-left": 1 });
    server.takeLog();
    const before = [await countSettledResources(), await server.ask("holdings")] as const;
    // As long as the first audio may take: 20 WebRTC calls that connect at once need all of the processor.
    const hangUp = transport === "webrtc" ? "5s" : "1500ms";
    const flags = ["--calls", "20", "--ramp", "20/s", "--hang-up", hangUp, "--json", "--expect", "first-audio<5s"];
    const { code, text } = await call([transport, ...flags]);
    const { answered, failed, calls, percentiles } = JSON.parse(text);
    expect([code, answered, failed]).toEqual([0, 20, 0]);
    for (const { levelDb, end, protocolErrors } of calls) {
      expect(levelDb).toBeGreaterThan(-25);
      expect([end.by, protocolErrors]).toEqual(["caller", []]);
    }
    expect(percentiles.firstAudioMs).toEqual({
      p50: expect.any(Number),
      p95: expect.any(Number),
      p99: expect.any(Number),
      max: expect.any(Number),
    });
    await expectEndings(server, { "caller-left": 20 });
    await expectNoGrowth(server, before[1]);
    expect(await settleResources(before[0], 5_000)).toEqual([]);
  });
});

test("a test of several calls that is interrupted before all were placed fails", async () => {
  const others = process.listeners("SIGTERM");
  const called = call(["websocket", "--calls", "30", "--ramp", "2/s", "--hang-up", "300ms", "--expect", "answer<5s"]);
  await expect.poll(() => server.takeLog().some(({ msg }) => msg === "session ended")).toBe(true);
  for (const interrupt of process.listeners("SIGTERM").filter((each) => !others.includes(each))) interrupt("SIGTERM");
  const { code, text } = await called;
  expect(code).toBe(1);
  expect(text).toMatch(/Interrupted: \d of 30 calls were placed\./);
  expect(text).not.toContain("OK");
});

test("the recording has the caller on the left and the bot on the right", async () => {
  const [input, output] = [join(tmpdir(), `call-in-${process.pid}.wav`), join(tmpdir(), `call-out-${process.pid}.wav`)];
  try {
    writeFileSync(input, encodeWav(tone(440, { durationMs: 600, sampleRate: 44_100 })));
    const { code, text } = await call(["websocket", "--wav", input, "--record", output, "--hang-up", "1500ms"]);
    expect(code).toBe(0);
    expect(text).toMatch(/answered after +\d+ ms\n +first audio +\d+ ms after the answer/);
    const { samples, sampleRate } = parseWav(readFileSync(output));
    for (const channel of [0, 1]) {
      const mono = { samples: samples.filter((_, index) => index % 2 === channel), sampleRate, channels: 1 };
      const { fromMs, toMs } = findVoice(mono) ?? { fromMs: 0, toMs: 0 };
      expect(toMs - fromMs).toBeGreaterThan(500);
      expect(measurePitch(excerpt(mono, fromMs, toMs))).toBeCloseTo(440, -1);
      if (channel === 1) expect(fromMs).toBeGreaterThan(20);
    }
  } finally {
    for (const file of [input, output]) rmSync(file, { force: true });
  }
});

test("keys reach the bot, whose answer is in the transcript", async () => {
  const { text } = await call(["websocket", "--dtmf", "5@100ms", "--hang-up", "600ms", "--json"]);
  expect(JSON.parse(text).calls[0].transcript).toEqual([{ speaker: "bot", text: "You pressed: 5" }]);
});

test.each(["websocket", "webrtc"])(
  "over %s, a bot that throws fails the call, also if the runner has a key",
  async (transport) => {
    const guarded = await startServer({ transports: [transport as ServerTransport], apiKey });
    try {
      const body = ["--body", '{"crash":"later"}', "--api-key", apiKey];
      const { code, text } = await call([transport, ...body], guarded.port);
      expect([code, text]).toEqual([1, expect.stringMatching(/✗ CALL_FAILED: The call ended with .*bot-failed/)]);
      expect(text).not.toContain("crash in");
    } finally {
      await guarded[Symbol.asyncDispose]();
    }
  },
);

test("a wrong key and a runner that is not there fail the call, with the reason", async () => {
  const guarded = await startServer({ transports: ["websocket", "exotel"], apiKey });
  try {
    const wrong = await call(["websocket", "--api-key", "another-key-of-16-letters"], guarded.port);
    expect(wrong.code).toBe(1);
    expect(wrong.text).toMatch(/✗ KEY_REQUIRED: The runner rejected the call with 401: /);
    const unverified = await call(["exotel", "--api-key", apiKey], guarded.port);
    expect(unverified.text).toMatch(
      /✗ SIGNATURE_INVALID: The runner rejected the call with 403: .*cannot verify requests from Exotel/,
    );
  } finally {
    await guarded[Symbol.asyncDispose]();
  }
  const { code, text } = await call(["websocket"], 1);
  expect([code, text]).toEqual([
    1,
    expect.stringMatching(/✗ RUNNER_UNREACHABLE: No runner answers at http:\/\/127\.0\.0\.1:1\/: ECONNREFUSED/),
  ]);
});

import { once } from "node:events";
import { connect } from "node:net";
import { type Bot, createTransport, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import {
  countResources,
  createRecordingLogger,
  cut,
  excerpt,
  findVoice,
  join,
  measureLevel,
  measurePitch,
  settleResources,
  tone,
  until,
  within,
} from "@pipecat-ts/runner-testing";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { WebSocketRunnerArguments } from "./arguments.ts";
import { connectCaller, type WebSocketCaller, type WebSocketCallerOptions } from "./caller.ts";
import type { Frame } from "./generated/frames_pb.ts";
import plugin from "./plugin.ts";

vi.setConfig({ testTimeout: 30_000 });
const timeoutMs = 10_000;
const runners: Runner[] = [];
const callers: WebSocketCaller[] = [];
afterEach(async () => {
  for (const caller of callers.splice(0)) caller.drop();
  await Promise.all(runners.splice(0).map((runner) => runner.close()));
});

const echo: Bot = async (args) => {
  const transport = await createTransport(args, { websocket: () => ({}) });
  await transport.input.pipeTo(transport.output);
};

describe("starting", () => {
  test("/start returns only wsUrl, whose session has the id and the body", async () => {
    const seen: WebSocketRunnerArguments[] = [];
    const runner = await open((args) => void seen.push(args as WebSocketRunnerArguments));
    const { reply, sessionId } = await start(runner, { body: { language: "fr" } });
    expect(reply).toEqual({ wsUrl: `ws://127.0.0.1:${runner.url.port}/ws-client/${sessionId}` });
    const caller = await call(reply.wsUrl);
    await within("the bot ends", caller.closed, timeoutMs);
    expect(seen).toMatchObject([{ transport: "websocket", sessionId, body: { language: "fr" } }]);
    expect((seen[0] as WebSocketRunnerArguments).websocket.readyState).toBeGreaterThan(1);
  });

  test("a socket on the bare path gets a session of its own, without a body", async () => {
    const seen: unknown[] = [];
    const runner = await open((args) => void seen.push(args));
    const caller = await call(bare(runner));
    await within("the bot ends", caller.closed, timeoutMs);
    expect(seen).toMatchObject([{ transport: "websocket", body: undefined }]);
    expect(seen).toMatchObject([{ sessionId: expect.stringMatching(/^[\w-]{8,}$/) }]);
  });

  test("is rejected before the upgrade for an id that is unknown, connected or ended", async () => {
    const runner = await open(echo);
    await expect(call(`${bare(runner)}/nobody`)).rejects.toMatchObject({ status: 404, code: "SESSION_UNKNOWN" });
    const { reply } = await start(runner);
    const caller = await call(reply.wsUrl);
    await expect(call(reply.wsUrl)).rejects.toMatchObject({ status: 409, code: "SESSION_NOT_PENDING" });
    await caller.hangUp();
    await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
    await expect(call(reply.wsUrl)).rejects.toMatchObject({ status: 404, code: "SESSION_UNKNOWN" });
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });

  test("with tokens, wsUrl opens once, and neither the bare path nor the session's id opens a socket", async () => {
    const seen: unknown[] = [];
    const bot: Bot = async (args) => {
      seen.push(args);
      await echo(args);
    };
    const runner = await open(bot, { webSocketAuth: "token" });
    const { reply, sessionId } = await start(runner, { body: "mine" });
    await expect(call(bare(runner))).rejects.toMatchObject({ status: 401, code: "TOKEN_REQUIRED" });
    await expect(call(`${bare(runner)}/${sessionId}`)).rejects.toMatchObject({ status: 401, code: "TOKEN_REQUIRED" });
    expect(Object.keys(reply)).toEqual(["wsUrl"]);
    const caller = await call(reply.wsUrl);
    await expect(call(reply.wsUrl)).rejects.toMatchObject({ status: 403, code: "TOKEN_INVALID" });
    await until("the bot runs", () => seen.length > 0, timeoutMs);
    expect(seen).toMatchObject([{ sessionId, body: "mine" }]);

    const token = (await start(runner)).reply.wsUrl.split("/").at(-1);
    const another = await call(`${bare(runner)}?token=${token}`);
    await Promise.all([caller.hangUp(), another.hangUp()]);
    await until("the sessions have ended", () => runner.sessions.counts.active === 0, timeoutMs);
  });

  test("a full runner does not use up the token: the same wsUrl opens when a place is free", async () => {
    const runner = await open(echo, { webSocketAuth: "token", maxSessions: 1 });
    const [first, second] = [await start(runner), await start(runner)];
    const caller = await call(first.reply.wsUrl);
    await expect(call(second.reply.wsUrl)).rejects.toMatchObject({ status: 429, code: "AT_CAPACITY" });
    await caller.hangUp();
    await until("the place is free", () => runner.sessions.counts.active === 0, timeoutMs);
    await call(second.reply.wsUrl);
    expect(runner.sessions.find(second.sessionId)?.state).toBe("active");
  });

  test("is rejected for a session of another transport", async () => {
    const pigeon: TransportPlugin = {
      apiVersion: 1,
      name: "pigeon",
      open: (runner) => ({ start: () => ({ sessionId: runner.createSession().id, body: {} }) }),
    };
    const runner = await open(echo, { plugins: [plugin, pigeon] });
    const { sessionId } = await start(runner, { transport: "pigeon" });
    await expect(call(`${bare(runner)}/${sessionId}`)).rejects.toMatchObject({ status: 404 });
    expect(runner.sessions.find(sessionId)?.state).toBe("pending");
  });

  test("is rejected with 429 at capacity, and with 503 while draining", async () => {
    const runner = await open(echo, { maxSessions: 1, shutdownTimeoutMs: 5_000 });
    const caller = await call(bare(runner));
    await expect(call(bare(runner))).rejects.toMatchObject({ status: 429, code: "AT_CAPACITY" });
    const drained = runner.drain();
    await expect(call(bare(runner))).rejects.toMatchObject({
      code: expect.stringMatching(/^(DRAINING|ECONNREFUSED)$/),
    });
    await caller.hangUp();
    await within("the runner is drained", drained, timeoutMs);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });

  test("draining with twenty calls cuts none before its deadline, and accepts no further one", async () => {
    const runner = await open(echo, { shutdownTimeoutMs: 1_000 });
    const { reply } = await start(runner);
    const calls = await Promise.all(Array.from({ length: 20 }, () => call(bare(runner))));
    await until("all twenty run", () => runner.sessions.counts.active === 20, timeoutMs);
    const startedMs = performance.now();
    const drained = runner.drain();
    const endedMs = Promise.all(calls.map(({ closed }) => closed.then(() => performance.now() - startedMs)));

    const refused = await fetch(new URL("/start", runner.url), { method: "POST", body: "{}" });
    expect([refused.status, refused.headers.get("retry-after"), await refused.json()]).toEqual([
      503,
      expect.stringMatching(/^\d+$/),
      expect.objectContaining({ code: "DRAINING" }),
    ]);
    await expect(call(bare(runner))).rejects.toMatchObject({ status: 503, code: "DRAINING" });
    // Its session was started: the client must try again, so the answer is not 404.
    await expect(call(reply.wsUrl)).rejects.toMatchObject({ status: 503, code: "DRAINING" });
    await within("the runner is drained", drained, timeoutMs);
    // Timers may come slightly early.
    expect(Math.min(...(await endedMs))).toBeGreaterThan(990);
    const end = { code: 1001, reason: "shutdown" };
    expect(await Promise.all(calls.map(({ closed }) => closed))).toEqual(Array(20).fill(end));
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });

  test("accepts one of ten sockets for one session", async () => {
    const runner = await open(echo);
    const { reply } = await start(runner);
    const attempts = await Promise.allSettled(Array.from({ length: 10 }, () => call(reply.wsUrl)));
    await until("nine are rejected", () => callers.filter(({ socket }) => socket.readyState === 1).length === 1, 2_000);
    expect(attempts.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(0);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("a connection that breaks before the upgrade leaves no session behind", async () => {
    const runner = await open(echo);
    const raw = connect(Number(runner.url.port), "127.0.0.1");
    raw.write(
      "GET /ws-client HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: no\r\n\r\n",
    );
    raw.resume();
    await within("the connection is closed", once(raw, "close"), timeoutMs);
    await until("no session is left", () => runner.sessions.counts.pending === 0, timeoutMs);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });
});

describe("in a call", () => {
  test("the caller hears the echo: 24 kHz in real time, with pitch and level unchanged", async () => {
    const runner = await open(echo);
    const frames: Frame["frame"][] = [];
    const caller = await call(bare(runner), (frame) => frames.push(frame));
    const spoken = tone(440, { durationMs: 400 });
    speak(caller, spoken);
    await until("the echo ends", () => playedMs(caller) >= 390, timeoutMs);

    const audio = frames.flatMap((frame) => (frame.case === "audio" ? [frame.value] : []));
    for (const { sampleRate, numChannels, audio: bytes } of audio) {
      expect([sampleRate, numChannels, bytes.byteLength]).toEqual([24_000, 1, 1_920]);
    }
    const heard = join(caller.playout.played().map(({ frame }) => frame));
    const voice = findVoice(heard);
    const middle = excerpt(heard, (voice?.fromMs ?? 0) + 50, (voice?.toMs ?? 0) - 50);
    expect(measurePitch(middle)).toBeCloseTo(440, -1);
    expect(Math.abs(measureLevel(middle) - measureLevel(excerpt(spoken, 50, 350)))).toBeLessThan(1);
  });

  test("the metrics contain the time to first audio and the pacer lag", async () => {
    const runner = await open(async (args) => {
      const transport = await createTransport(args, { websocket: () => ({}) });
      await transport.play(utterance(200)).done;
      await transport.closed;
    });
    const caller = await call(bare(runner));
    await until("the bot is heard", () => playedMs(caller) > 100, timeoutMs);
    const metrics = await (await fetch(new URL("/metrics", runner.url))).text();
    expect(metrics).toContain('pipecat_first_audio_seconds_count{transport="websocket"} 1\n');
    expect(metrics).toContain('pipecat_frames_dropped_total{transport="websocket",direction="output"} 0\n');
    expect(metrics).toMatch(/pipecat_pacer_lag_seconds_count [1-9]/);
  });

  test("plays at the sample rate of the params, and rejects an unsupported rate", async () => {
    const atRate =
      (audioOutSampleRate: number): Bot =>
      async (args) => {
        const transport = await createTransport(args, { websocket: () => ({ audioOutSampleRate }) });
        await transport.play(utterance(100)).done;
      };
    const runner = await open(atRate(8_000));
    const frames: Frame["frame"][] = [];
    const caller = await call(bare(runner), (frame) => frames.push(frame));
    await within("the call ends", caller.closed, timeoutMs);
    expect(frames[0]).toMatchObject({ case: "audio", value: { sampleRate: 8_000, audio: { byteLength: 640 } } });

    for (const rate of [0, 7_975, 8_001, 24_000.5, 200_000, Number.NaN]) {
      const logger = createRecordingLogger();
      const refused = await call(bare(await open(atRate(rate), { logger })));
      await expect(within("the call ends", refused.closed, timeoutMs)).resolves.toMatchObject({
        code: expect.any(Number),
      });
      expect(logger.lines).toMatchObject(
        expect.arrayContaining([
          expect.objectContaining({
            fields: expect.objectContaining({ err: expect.objectContaining({ code: "OPTION_INVALID" }) }),
          }),
        ]),
      );
    }
  });

  test("an interruption stops the audio at once and reaches the caller", async () => {
    let interrupted = 0;
    const runner = await open(async (args) => {
      const transport = await createTransport(args, { websocket: () => ({}) });
      transport.on("appMessage", () => {
        interrupted = transport.interrupt().playedMs;
      });
      await transport.play(utterance(60_000)).done;
      await transport.closed;
    });
    const frames: Frame["frame"][] = [];
    const caller = await call(bare(runner), (frame) => frames.push(frame));
    await until("the bot is heard", () => playedMs(caller) > 200, timeoutMs);
    caller.sendMessage("stop");
    await until("the interruption arrives", () => frames.some((frame) => frame.case === "interruption"), timeoutMs);
    const afterwards = frames.slice(frames.findIndex((frame) => frame.case === "interruption") + 1);
    expect(afterwards.filter((frame) => frame.case === "audio")).toEqual([]);
    expect(interrupted).toBeGreaterThan(150);
  });

  test("client-ready that arrives before the bot listens is answered", async () => {
    const late = Promise.withResolvers<void>();
    const runner = await open(async (args) => {
      await late.promise;
      await echo(args);
    });
    const caller = await call(bare(runner));
    caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "0a", data: { version: "2.1.0" } });
    await expect.poll(() => runner.sessions.counts.active).toBe(1);
    expect(caller.messages).toEqual([]);
    late.resolve();
    await until("bot-ready arrives", () => caller.messages.length > 0, timeoutMs);
    expect(caller.messages).toMatchObject([{ label: "rtvi-ai", type: "bot-ready", id: "0a" }]);
  });

  test("a caller who does not read costs at most 4 MiB of messages", async () => {
    const outcome = Promise.withResolvers<string[]>();
    const runner = await open(async (args) => {
      const transport = await createTransport(args, { websocket: () => ({}) });
      const message = "x".repeat(900_000);
      const flood = async () => {
        const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => transport.sendMessage(message)));
        outcome.resolve(outcomes.map((of) => (of.status === "fulfilled" ? "sent" : of.reason.code)));
      };
      transport.on("appMessage", () => void flood());
      await transport.closed;
    });
    const caller = await call(bare(runner));
    caller.sendMessage("go");
    caller.socket.pause();
    await until("the caller has stopped reading", () => caller.socket.isPaused, timeoutMs);
    // Messages in the send buffer settle when the caller leaves.
    setTimeout(() => caller.drop(), 300);
    const outcomes = await within("the flood ends", outcome.promise, timeoutMs);
    const refused = outcomes.filter((code) => code === "CALLER_NOT_READING");
    const waited = outcomes.filter((code) => code === "CALL_ENDED");
    expect(refused.length).toBeGreaterThan(10);
    expect(waited.length * 900_000).toBeLessThan(5 * 1024 * 1024);
  });
});

describe("ending", () => {
  test.each([
    ["1000 bot-finished", "bot-finished", async () => undefined],
    ["1011 bot-failed", "bot-failed", async () => Promise.reject(new Error("the bot's own error"))],
  ])("closes with %s", async (closed, reason, end) => {
    const logger = createRecordingLogger();
    const runner = await open(
      async (args) => {
        await createTransport(args, { websocket: () => ({}) });
        await end();
      },
      { logger },
    );
    const caller = await call(bare(runner));
    const { code, reason: text } = await within("the socket closes", caller.closed, timeoutMs);
    expect(`${code} ${text}`).toBe(closed);
    await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
    expect(ends(logger)).toEqual([reason]);
  });

  test("closes with 1001 when the runner stops", async () => {
    const runner = await open(echo);
    const caller = await call(bare(runner));
    await until("the bot runs", () => runner.sessions.counts.active === 1, timeoutMs);
    await within("the runner closes", runner.close(), timeoutMs);
    expect(await caller.closed).toEqual({ code: 1001, reason: "shutdown" });
  });

  test.each([
    ["1000 bot-finished", async () => undefined],
    ["1011 bot-failed", async () => Promise.reject(new Error("before it listened"))],
  ])("closes the socket of a bot that created no transport with %s", async (closed, bot) => {
    const caller = await call(bare(await open(bot)));
    const { code, reason: text } = await within("the socket closes", caller.closed, timeoutMs);
    expect(`${code} ${text}`).toBe(closed);
  });

  test.each([
    ["hangs up", (caller: WebSocketCaller) => void caller.hangUp()],
    ["vanishes", (caller: WebSocketCaller) => caller.drop()],
  ])("the bot's streams end when the caller %s", async (_, leave) => {
    const logger = createRecordingLogger();
    const runner = await open(echo, { logger });
    const caller = await call(bare(runner));
    speak(caller, tone(440, { durationMs: 200 }));
    leave(caller);
    await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
    expect(ends(logger)).toEqual(["caller-left"]);
  });

  test("the session of a bot that created no transport ends when the caller leaves", async () => {
    const logger = createRecordingLogger();
    const left = Promise.withResolvers<void>();
    const runner = await open(() => left.promise, { logger });
    const caller = await call(bare(runner));
    await caller.hangUp();
    await expect.poll(() => [...runner.sessions].length).toBe(1);
    left.resolve();
    await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
    expect(ends(logger)).toEqual(["caller-left"]);
  });

  test("1,000 malformed messages affect no other caller, and leave nothing open", async () => {
    const logger = createRecordingLogger();
    const runner = await open(echo, { logger });
    const before = countResources();
    const caller = await call(bare(runner));
    for (let n = 0; n < 500; n++) {
      caller.socket.send(Buffer.alloc(n % 50, n));
      caller.socket.send("text ".repeat(n % 50));
    }
    speak(caller, tone(440, { durationMs: 200 }));
    await until("the echo is heard", () => playedMs(caller) >= 150, timeoutMs);
    expect(logger.lines.filter(({ level }) => level === "warn")).toHaveLength(1);
    await caller.hangUp();
    await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
    expect(logger.lines.map(({ fields }) => fields.skippedMessages)).toContain(1_000);
    expect(await settleResources(before)).toEqual([]);
  });

  test("a message of the bot above 1 MiB is rejected, and the call continues", async () => {
    const outcome = Promise.withResolvers<unknown>();
    const runner = await open(async (args) => {
      const transport = await createTransport(args, { websocket: () => ({}) });
      outcome.resolve(await transport.sendMessage("x".repeat(1024 * 1024)).catch((error: unknown) => error));
      await transport.sendMessage("still there");
      await transport.closed;
    });
    const caller = await call(bare(runner));
    expect(await outcome.promise).toMatchObject({ code: "MESSAGE_TOO_LARGE", status: 413 });
    await until("the next message arrives", () => caller.messages.length > 0, timeoutMs);
    expect(caller.messages).toEqual(["still there"]);
  });

  test("a caller who does not answer the close is cut off after 1 s", async () => {
    const paused = Promise.withResolvers<void>();
    const runner = await open(async (args) => {
      await createTransport(args, { websocket: () => ({}) });
      await paused.promise;
    });
    const caller = await call(bare(runner));
    caller.socket.pause();
    await until("the caller does not read", () => caller.socket.isPaused, timeoutMs);
    paused.resolve();
    const startedMs = performance.now();
    await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
    expect(performance.now() - startedMs).toBeGreaterThan(900);
    caller.drop();
  });

  test("a message above 1 MiB ends the call with 1009", async () => {
    const logger = createRecordingLogger();
    const runner = await open(echo, { logger });
    const caller = await call(bare(runner));
    caller.socket.send(Buffer.alloc(1024 * 1024 + 1));
    expect(await within("the socket closes", caller.closed, timeoutMs)).toMatchObject({ code: 1009 });
    await until("the session has ended", () => runner.sessions.counts.active === 0, timeoutMs);
    expect(ends(logger)).toEqual(["transport-failed"]);
  });
});

async function open(bot: Bot, options: Partial<RunnerOptions> = {}): Promise<Runner> {
  const runner = createRunner({
    bot,
    plugins: [plugin],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
    ...options,
  });
  runners.push(runner);
  await runner.listen();
  return runner;
}

function bare(runner: Runner): string {
  return `ws://127.0.0.1:${runner.url.port}/ws-client`;
}

async function start(runner: Runner, fields: Record<string, unknown> = {}) {
  const response = await fetch(new URL("/start", runner.url), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ transport: "websocket", ...fields }),
  });
  return {
    reply: (await response.json()) as { readonly wsUrl: string },
    sessionId: String(response.headers.get("x-session-id")),
  };
}

async function call(url: string, onFrame?: WebSocketCallerOptions["onFrame"]): Promise<WebSocketCaller> {
  const caller = await connectCaller(url, onFrame && { onFrame });
  callers.push(caller);
  return caller;
}

/** Sends up to 500 ms at once: more would be dropped. */
function speak(caller: WebSocketCaller, audio: ReturnType<typeof tone>): void {
  for (const frame of cut(audio)) caller.sendAudio(frame);
}

async function* utterance(durationMs: number) {
  yield tone(440, { durationMs, sampleRate: 24_000 });
}

function playedMs(caller: WebSocketCaller): number {
  const audio = join(caller.playout.played().map(({ frame }) => frame));
  const voice = findVoice(audio);
  return voice ? voice.toMs - voice.fromMs : 0;
}

function ends(logger: ReturnType<typeof createRecordingLogger>): unknown[] {
  return logger.lines.filter(({ message }) => message.startsWith("session ended")).map(({ fields }) => fields.reason);
}

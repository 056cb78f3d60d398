import type { Call, MediaPort, RunnerArguments, SessionArguments, Transport } from "@pipecat-ts/runner-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { SessionEngineOptions } from "./engine.ts";
import { connect, createEngineFixture, createFakePort, neverConnected, untilAborted } from "./test/fixture.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount(), "timers left behind").toBe(0);
  vi.useRealTimers();
});

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test("the bot gets frozen arguments with everything that the contract promises", async () => {
  let args: RunnerArguments | undefined;
  const { create } = createEngineFixture({
    bot: (given) => {
      args = given;
    },
  });
  const session = create({ who: "me" });
  const callData = { streamId: "s", callId: "c" };
  session.run<SessionArguments & { readonly wire: string }>({ wire: "x", callData }, neverConnected);
  expect(args, "the bot runs after the transport's code").toBeUndefined();
  await settle();
  expect(args).toMatchObject({
    transport: "fake",
    wire: "x",
    sessionId: session.id,
    body: { who: "me" },
    callData,
    signal: session.signal,
    handleSigint: false,
    handleSigterm: false,
    cliArgs: {},
    session: { id: session.id },
  });
  expect(Object.isFrozen(args)).toBe(true);
  expect(args?.session).not.toHaveProperty("end");
});

test("a transport's own body overrides that of the start request, also with null", async () => {
  const bodies: unknown[] = [];
  const { create } = createEngineFixture({ bot: ({ body }) => void bodies.push(body), defaultBody: "default" });
  create("started").run({}, neverConnected);
  create("started").run({ body: "own" }, neverConnected);
  create("started").run({ body: null }, neverConnected);
  create().run({}, neverConnected);
  await settle();
  expect(bodies).toEqual(["started", "own", null, "default"]);
});

test("the bot of a plugin with `runsAs` gets that transport name", async () => {
  const names: string[] = [];
  const { engine, log } = createEngineFixture({ bot: ({ transport }) => void names.push(transport) });
  const session = engine.create({ name: "messenger", runsAs: "fake", logger: log });
  expect(session.transport).toBe("messenger");
  session.run({}, neverConnected);
  await session.ended;
  expect(names).toEqual(["fake"]);
  expect(session.owner).toBe("messenger");
});

test("a call of the maximum duration ends with time-limit, after the bot's goodbye", async () => {
  const { port, calls } = createFakePort();
  const { create } = createEngineFixture({
    maxCallDurationMs: 60_000,
    async bot(args) {
      const transport = await connect(args);
      args.session.onTimeLimit(() => new Promise((resolve) => setTimeout(resolve, 3_000)));
      args.session.onTimeLimit(() => void calls.push("goodbye"));
      await transport.closed;
    },
  });
  const session = create();
  await vi.advanceTimersByTimeAsync(30_000);
  session.run({}, async () => port);
  await vi.advanceTimersByTimeAsync(59_900);
  expect(calls).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(calls).toEqual(["goodbye"]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await session.ended).toBe("time-limit");
  expect(calls).toEqual(["goodbye", "close: time-limit"]);
});

test("a goodbye that does not end is abandoned after 10 s, with its deadline aborted; one that throws fails the bot", async () => {
  let deadline: AbortSignal | undefined;
  const goodbyes = [
    (given: AbortSignal) => {
      deadline = given;
      return new Promise(() => undefined);
    },
    () => Promise.reject(new Error("no voice")),
  ];
  const { create } = createEngineFixture({
    maxCallDurationMs: 1_000,
    bot({ session, signal }) {
      session.onTimeLimit(goodbyes.shift() as () => unknown);
      return untilAborted({ signal } as RunnerArguments);
    },
  });
  const [endless, failing] = [create(), create()];
  endless.run({}, neverConnected);
  await settle();
  failing.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(1_100);
  expect(await failing.ended).toBe("bot-failed");
  expect([endless.state, deadline?.aborted]).toEqual(["active", false]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(deadline?.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await endless.ended).toBe("time-limit");
});

test("a bot sets a limit of its own, counted from its start, and removes it with Infinity", async () => {
  const limits = [5_000, Number.POSITIVE_INFINITY];
  const { create } = createEngineFixture({
    maxCallDurationMs: 60_000,
    async bot({ session, signal }) {
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      session.limitDuration(limits.shift() ?? 0);
      await untilAborted({ signal } as RunnerArguments);
    },
  });
  const [short, endless] = [create(), create()];
  short.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(1);
  endless.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(15_100);
  expect(await short.ended).toBe("time-limit");
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(endless.state).toBe("active");
  await endless.end("shutdown");
  const invalid = create();
  invalid.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await invalid.ended).toBe("bot-failed");
});

test("a limit that is longer than Node's longest timer is kept", async () => {
  const day = 86_400_000;
  const { create } = createEngineFixture({
    bot({ session, signal }) {
      session.limitDuration(60 * day);
      return untilAborted({ signal } as RunnerArguments);
    },
  });
  const session = create();
  session.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(59 * day);
  expect(session.state).toBe("active");
  await vi.advanceTimersByTimeAsync(2 * day);
  expect(await session.ended).toBe("time-limit");
});

test("a limit that the bot sets during the goodbye continues the call, and the goodbye runs again when that limit is reached", async () => {
  const goodbyes: number[] = [];
  const { create } = createEngineFixture({
    maxCallDurationMs: 10_000,
    async bot({ session, signal }) {
      session.onTimeLimit(async () => {
        goodbyes.push(Math.round(performance.now() - beganMs));
        if (goodbyes.length === 1) session.limitDuration(60_000);
        if (goodbyes.length === 2) session.limitDuration(61_000);
        await new Promise((resolve) => setTimeout(resolve, 3_000));
      });
      await untilAborted({ signal } as RunnerArguments);
    },
  });
  const beganMs = performance.now();
  const session = create();
  session.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(55_000);
  expect([goodbyes, session.state]).toEqual([[10_000], "active"]);
  // The limit of 61 s passes during the second goodbye, which ends the call.
  await vi.advanceTimersByTimeAsync(60_000);
  expect(goodbyes).toEqual([10_000, 60_000]);
  expect(await session.ended).toBe("time-limit");
});

test("a bot that ends the limit during the goodbye continues, and a goodbye that ignores its deadline does not run twice", async () => {
  const goodbyes: string[] = [];
  const limits = [Number.POSITIVE_INFINITY, 30_000];
  const { create } = createEngineFixture({
    maxCallDurationMs: 1_000,
    async bot({ session, sessionId, signal }) {
      const limit = limits.shift() ?? 0;
      session.onTimeLimit(() => {
        goodbyes.push(sessionId);
        session.limitDuration(limit);
        return limit === 30_000 ? new Promise(() => undefined) : undefined;
      });
      await untilAborted({ signal } as RunnerArguments);
    },
  });
  const [endless, stuck] = [create(), create()];
  endless.run({}, neverConnected);
  await settle();
  stuck.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(29_000);
  expect([endless.state, stuck.state]).toEqual(["active", "active"]);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(await stuck.ended).toBe("time-limit");
  expect(endless.state).toBe("active");
  expect(goodbyes).toEqual([endless.id, stuck.id]);
  await endless.end("shutdown");
});

test("a session that ends during a goodbye aborts its deadline, and a limit that the goodbye has set starts no timer", async () => {
  let deadline: AbortSignal | undefined;
  const { create, log } = createEngineFixture({
    maxCallDurationMs: 1_000,
    async bot({ session, signal }) {
      session.onTimeLimit(async (given) => {
        deadline = given;
        session.limitDuration(60_000);
        await new Promise((resolve) => setTimeout(resolve, 3_000));
      });
      await untilAborted({ signal } as RunnerArguments);
    },
  });
  const session = create();
  session.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(2_000);
  await session.end("ended-by-request");
  expect(deadline?.aborted).toBe(true);
  // The timer of the goodbye itself.
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(vi.getTimerCount()).toBe(0);
  expect(log.messages().filter((message) => message === "maximum call duration reached")).toHaveLength(1);
});

test("an exception at the deadline of a goodbye belongs to its session", async () => {
  const sessions: unknown[] = [];
  const { create, engine } = createEngineFixture({
    maxCallDurationMs: 1_000,
    async bot({ session, signal }) {
      session.onTimeLimit((deadline) => {
        deadline.addEventListener("abort", () => sessions.push(engine.current()));
        return new Promise(() => undefined);
      });
      await untilAborted({ signal } as RunnerArguments);
    },
  });
  const [late, ended] = [create(), create()];
  late.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(11_100);
  expect(sessions).toEqual([late]);
  ended.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(1_100);
  await Promise.all([late.end("shutdown"), ended.end("shutdown")]);
  expect(sessions).toEqual([late, ended]);
});

test("a limit that the bot sets while its last audio plays at the time limit does not begin another goodbye", async () => {
  const { port } = createFakePort();
  let goodbyes = 0;
  const { create } = createEngineFixture({
    maxCallDurationMs: 1_000,
    async bot(args) {
      const transport = await connect(args);
      args.session.onTimeLimit(() => void goodbyes++);
      transport.play({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) });
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      args.session.limitDuration(2_000);
      await untilAborted(args);
    },
  });
  const session = create();
  session.run({}, async () => port);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await session.ended).toBe("time-limit");
  expect(goodbyes).toBe(1);
});

test("audio that does not end is cut off 10 s after the time limit", async () => {
  const { port, calls } = createFakePort();
  const { create } = createEngineFixture({
    maxCallDurationMs: 1_000,
    async bot(args) {
      const speech = (await connect(args)).speak();
      while (!args.signal.aborted)
        await speech.write({ samples: new Int16Array(1_600), sampleRate: 16_000, channels: 1 });
    },
  });
  const session = create();
  const call = session.run({}, async () => port);
  call.connected();
  await vi.advanceTimersByTimeAsync(10_900);
  expect(calls.at(-1)).toBe("send");
  await vi.advanceTimersByTimeAsync(200);
  expect(calls.at(-1)).toBe("close: time-limit");
  await vi.advanceTimersByTimeAsync(11_000);
  expect(await session.ended).toBe("time-limit");
});

test("what the bot does when its audio is cut off by the end of the session belongs to the session", async () => {
  const sessions: [string, unknown][] = [];
  const { create, engine } = createEngineFixture({
    async bot(args) {
      const transport = await connect(args);
      const note = (what: string) => sessions.push([what, engine.current()]);
      const frame = { samples: new Int16Array(1_600), sampleRate: 16_000, channels: 1 };
      async function* source() {
        try {
          for (;;) yield frame;
        } finally {
          note("source");
        }
      }
      transport.play(source());
      transport.speak().signal.addEventListener("abort", () => note("signal"));
      await untilAborted(args);
    },
  });
  const session = create();
  session.run({}, async () => createFakePort().port).connected();
  await vi.advanceTimersByTimeAsync(500);
  await session.end("ended-by-request");
  expect(sessions.toSorted()).toEqual([
    ["signal", session],
    ["source", session],
  ]);
});

test("a session is run once", async () => {
  const { create } = createEngineFixture();
  const session = create();
  session.run({}, neverConnected);
  expect(() => session.run({}, neverConnected)).toThrow(expect.objectContaining({ code: "SESSION_NOT_PENDING" }));
  await session.end("ended-by-request");
  expect(() => session.run({}, neverConnected)).toThrow("is ended");
});

test("the transport is built once, and closed when the bot returns", async () => {
  const { port, calls, deadlines } = createFakePort();
  const errors: unknown[] = [];
  const { create, engine } = createEngineFixture({
    async bot(args) {
      expect(await connect(args)).toMatchObject({ name: "fake" });
      await connect(args).catch((error) => errors.push(error));
    },
  });
  const session = create();
  session.run({}, () => port);
  expect(engine.counts).toEqual({ pending: 0, active: 1 });
  expect(await session.ended).toBe("bot-finished");
  expect(errors).toMatchObject([{ code: "TRANSPORT_ALREADY_CREATED" }]);
  expect(calls).toEqual(["close: bot-finished"]);
  expect(deadlines[0]).toBeInstanceOf(AbortSignal);
  expect(engine.counts).toEqual({ pending: 0, active: 0 });
});

test("wrong params reject createTransport before the wire is opened", async () => {
  const opened = vi.fn();
  const errors: unknown[] = [];
  const { create } = createEngineFixture({
    bot: (args) => connect(args, { audioInSampleRate: 8_001 }).catch((error) => errors.push(error)),
  });
  const session = create();
  session.run({}, opened);
  await session.ended;
  expect(errors).toMatchObject([{ code: "OPTION_INVALID", message: 'audioInSampleRate of "fake" cannot be 8001.' }]);
  expect(opened).not.toHaveBeenCalled();
});

test("a bot that throws is logged once with its error and ends its session at once", async () => {
  const { port, calls } = createFakePort();
  const failure = new Error("no microphone");
  const { create, log } = createEngineFixture({
    async bot(args) {
      await connect(args);
      throw failure;
    },
  });
  const session = create();
  session.run({}, () => port);
  expect(await session.ended).toBe("bot-failed");
  expect(calls).toEqual(["close: bot-failed"]);
  expect(log.lines.filter(({ level }) => level === "error")).toMatchObject([
    { message: "bot failed", fields: { err: failure, session: session.id } },
  ]);
});

/** A bot that throws at once, or on its transport, and a record of what its caller is told. */
function createReportFixture(connects: boolean, reportFailure?: SessionEngineOptions["reportFailure"]) {
  const told: unknown[] = [];
  const report = vi.fn(async (transport: Transport, error: unknown) => {
    await transport.sendMessage(error);
  });
  const { port, calls } = createFakePort();
  const sendingPort = { ...port, sendMessage: async (message: unknown) => void told.push(message) };
  const { create, log } = createEngineFixture({
    async bot(args) {
      if (connects) await connect(args);
      throw "no microphone";
    },
    reportFailure: reportFailure ?? report,
  });
  return { session: create(), port, sendingPort, calls, told, log, report };
}

test.each([true, false])(
  "a caller is told why the bot failed before the wire closes; the bot connects: %s",
  async (connects) => {
    const { session, sendingPort, calls, told, log } = createReportFixture(connects);
    const call = session.run({}, () => sendingPort);
    await settle();
    expect(told, "the caller is not connected yet").toEqual([]);
    expect(session.state).toBe("active");
    call.connected();
    expect(await session.ended).toBe("bot-failed");
    expect(told).toEqual(["no microphone"]);
    expect(calls).toEqual(["close: bot-failed"]);
    expect(log.messages("error")).toEqual(["bot failed"]);
  },
);

test("the caller in a room is told why the bot failed before it joined", async () => {
  const { session, sendingPort, told } = createReportFixture(false);
  const call = session.run({}, () => {
    call.connected();
    return sendingPort;
  });
  expect(await session.ended).toBe("bot-failed");
  expect(told).toEqual(["no microphone"]);
});

test.each([50, 2_900])("a caller is told why the bot failed while its transport was built for %s ms", async (ms) => {
  const { session, sendingPort, told } = createReportFixture(true);
  const call = session.run({}, async () => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    call.connected();
    return sendingPort;
  });
  session.fail("no network", "bot-failed");
  await vi.advanceTimersByTimeAsync(ms);
  expect(await session.ended).toBe("bot-failed");
  expect(told).toEqual(["no network"]);
});

test.each([1_000, 3_400])(
  "a caller who does not connect within 3 s leaves no timer, although the transport took %s ms",
  async (ms) => {
    const { session, sendingPort, told } = createReportFixture(false);
    session.run({}, async () => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return sendingPort;
    });
    await vi.advanceTimersByTimeAsync(3_500);
    expect(await session.ended).toBe("bot-failed");
    expect(told).toEqual([]);
  },
);

test("a session whose caller cannot be told why the bot failed ends after 3 s, or 500 ms after the connection", async () => {
  const neverConnects = createReportFixture(true);
  neverConnects.session.run({}, () => neverConnects.sendingPort);
  const neverReady = createReportFixture(true, () => new Promise(() => undefined));
  neverReady.session.run({}, () => neverReady.sendingPort).connected();
  await vi.advanceTimersByTimeAsync(499);
  expect(neverReady.session.state).toBe("active");
  await vi.advanceTimersByTimeAsync(1);
  expect(await neverReady.session.ended).toBe("bot-failed");
  await vi.advanceTimersByTimeAsync(2_499);
  expect(neverConnects.session.state).toBe("active");
  await vi.advanceTimersByTimeAsync(1);
  expect(await neverConnects.session.ended).toBe("bot-failed");
});

test("a caller is told of a failure once, although an error of the bot's timer also makes the bot throw", async () => {
  const { session, sendingPort, told } = createReportFixture(true);
  const call = session.run({}, () => sendingPort);
  session.fail("no network", "bot-failed");
  call.connected();
  expect(await session.ended).toBe("bot-failed");
  await settle();
  expect(told).toEqual(["no network"]);
});

test("a caller without messages is not told why the bot failed, and the session ends at once", async () => {
  const { session, port, report } = createReportFixture(true);
  session.run({}, () => port).connected();
  await settle();
  expect(session.state).toBe("ended");
  expect(report).not.toHaveBeenCalled();
});

test("a runner that closes does not wait until the caller was told why the bot failed", async () => {
  const { session, sendingPort } = createReportFixture(true);
  session.run({}, () => sendingPort);
  await settle();
  await session.end("shutdown");
  expect(session.state).toBe("ended");
});

test("a bot that throws undefined is logged with an error", async () => {
  const { create, log } = createEngineFixture({ bot: () => Promise.reject(undefined) });
  const session = create();
  session.run({}, neverConnected);
  expect(await session.ended).toBe("bot-failed");
  expect(log.lines).toContainEqual(
    expect.objectContaining({ fields: expect.objectContaining({ err: "undefined was thrown" }) }),
  );
});

test.each([
  ["a listener of the bot", (transport: Transport, fails: () => never) => transport.on("clientConnected", fails)],
  [
    "a listener of the signal",
    (_: Transport, fails: () => never, args: RunnerArguments) => void args.session.bind(fails)(),
  ],
  [
    "a promise of a bound callback",
    (_: Transport, fails: () => never, args: RunnerArguments) => args.session.bind(async () => fails())(),
  ],
])("an exception in %s ends its session with bot-failed, logged once", async (_, cause) => {
  const { port } = createFakePort();
  const failure = new Error("in a listener");
  const { create, log } = createEngineFixture({
    async bot(args) {
      const transport = await connect(args);
      cause(
        transport,
        () => {
          throw failure;
        },
        args,
      );
      await untilAborted(args);
    },
  });
  const [session, bystander] = [create(), create()];
  const call = session.run({}, () => port);
  bystander.run({}, neverConnected);
  call.connected();
  expect(await session.ended).toBe("bot-failed");
  const errors = log.lines.filter(({ level, fields }) => level === "error" && fields.session === session.id);
  expect(errors).toMatchObject([{ message: "bot failed", fields: { err: failure } }]);
  await bystander.ended.catch(() => undefined);
});

test("an exception in a transport's bound callback, or in its tick, ends its session with transport-failed", async () => {
  const { create, engine, log } = createEngineFixture();
  const [bound, ticking] = [create(), create()];
  bound.run({}, neverConnected);
  ticking.run({}, neverConnected);
  await settle();
  bound.bind(() => {
    throw new Error("vendor callback");
  })();
  const stop = ticking.inScope(() =>
    engine.pacer.every(20, () => {
      throw new Error("tick");
    }),
  );
  await vi.advanceTimersByTimeAsync(30);
  stop();
  expect(await Promise.all([bound.ended, ticking.ended])).toEqual(["transport-failed", "transport-failed"]);
  expect(log.messages("error")).toEqual(["transport failed", "transport failed"]);
});

test("a bot that throws before it awaits anything ends only its own session", async () => {
  const { create } = createEngineFixture({
    bot: () => {
      throw new Error("at once");
    },
  });
  const session = create();
  session.run({}, neverConnected);
  expect(await session.ended).toBe("bot-failed");
});

test("a session that ends before its bot was called does not call it", async () => {
  const bot = vi.fn();
  const { create } = createEngineFixture({ bot });
  const session = create();
  session.run({}, neverConnected);
  await session.end("ended-by-request");
  expect(await session.ended).toBe("ended-by-request");
  expect(bot).not.toHaveBeenCalled();
});

test("a bot that stops at its abort signal has not failed", async () => {
  const { create, log } = createEngineFixture({
    async bot(args) {
      await untilAborted(args);
      args.signal.throwIfAborted();
    },
  });
  const session = create();
  session.run({}, neverConnected);
  await settle();
  await session.end("ended-by-request");
  expect(await session.ended).toBe("ended-by-request");
  expect(log.messages("error")).toEqual([]);
});

test("a wire that opens after its session ended is closed, and blocks no other session", async () => {
  const { port, calls, deadlines } = createFakePort();
  const opening = Promise.withResolvers<MediaPort>();
  const errors: unknown[] = [];
  const { create, log } = createEngineFixture({
    bot: (args) => connect(args).catch((error) => errors.push(error)),
  });
  const session = create();
  session.run({}, () => opening.promise);
  await settle();
  await session.end("transport-failed");
  expect(errors).toMatchObject([{ code: "TRANSPORT_NOT_CONNECTED" }]);
  opening.resolve(port);
  await settle();
  expect(calls).toEqual(["close: transport-failed"]);
  expect(deadlines[0]?.aborted, "it has time to close").toBe(false);
  expect(log.messages("warn")).toEqual([]);
});

test("a caller who left before the bot listened: the bot gets the buffered audio, and then the end of the stream", async () => {
  const { port } = createFakePort();
  const events: unknown[] = [];
  const { create } = createEngineFixture({
    async bot(args) {
      const transport = await connect(args);
      transport.on("appMessage", (message) => events.push(message));
      transport.on("clientDisconnected", (reason) => events.push(reason));
      await transport.input.pipeTo(transport.output);
    },
  });
  const session = create();
  const call: Call = session.run({}, () => port);
  call.connected();
  call.message("hello");
  call.left();
  expect(await session.ended).toBe("caller-left");
  expect(events).toEqual(["hello", "caller-left"]);
});

test("after the end, connecting is rejected", async () => {
  let args: RunnerArguments | undefined;
  const { create } = createEngineFixture({
    bot: (given) => {
      args = given;
    },
  });
  const session = create();
  session.run({}, neverConnected);
  await session.ended;
  await expect(connect(args as RunnerArguments)).rejects.toMatchObject({ code: "TRANSPORT_NOT_CONNECTED" });
});

test("an error after the end of its session is logged", async () => {
  const { create, log } = createEngineFixture({ bot: () => undefined });
  const session = create();
  session.run({}, neverConnected);
  await session.ended;
  session.fail(new Error("late"), "bot-failed");
  expect(log.messages("error")).toEqual(["bot failed"]);
});

test("cleanup that ends its own session does not wait for itself", async () => {
  const { create, log } = createEngineFixture();
  const session = create();
  session.onEnd(() => session.end("shutdown"));
  await session.end("ended-by-request");
  expect(log.messages("error")).toEqual([]);
});

test("the signal is aborted when the session is over, so that leftovers of the bot stop", async () => {
  let signal: AbortSignal | undefined;
  const { create } = createEngineFixture({
    bot: (args) => {
      signal = args.signal;
    },
  });
  const session = create();
  session.run({}, neverConnected);
  await session.ended;
  expect(signal?.aborted).toBe(true);
});

test("a port that is rejected is closed: nobody else would do it", async () => {
  const { port, calls } = createFakePort();
  const failing: MediaPort = {
    ...port,
    extend() {
      throw new Error("extend failed");
    },
  };
  const { create, log } = createEngineFixture({ bot: (args) => connect(args) });
  const session = create();
  session.run({}, () => failing);
  expect(await session.ended).toBe("bot-failed");
  expect(calls).toEqual(["close: transport-failed"]);
  expect(log.messages("error")).toEqual(["bot failed"]);
});

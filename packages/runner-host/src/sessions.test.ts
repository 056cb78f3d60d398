import {
  type Bot,
  type CloseReason,
  type Connect,
  connectOf,
  type RunnerArguments,
  type SessionArguments,
  type Transport,
} from "@pipecat-ts/runner-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { recordLog } from "./recorded-log.ts";
import { createSettings } from "./runner-settings.ts";
import { createSessionScope } from "./session-scope.ts";
import { createSessionRegistry } from "./sessions.ts";

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount(), "timers left behind").toBe(0);
  vi.useRealTimers();
});

const untilAborted: Bot = ({ signal }) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

function registry(options: { bot?: Bot; maxSessions?: number } = {}) {
  const { bot = untilAborted, ...settings } = options;
  const log = recordLog();
  const scope = createSessionScope();
  const sessions = createSessionRegistry({
    bot,
    settings: createSettings(settings),
    scope,
    handlesSignals: () => false,
  });
  return { sessions, log, create: (body?: unknown) => sessions.create(body, log) };
}

/** A transport that closes when told to, and says what was done to it. */
function fakeTransport() {
  const calls: string[] = [];
  let resolveClosed: (reason: CloseReason) => void = () => undefined;
  const closed = new Promise<CloseReason>((resolve) => {
    resolveClosed = resolve;
  });
  const transport = {
    name: "fake",
    closed,
    on: () => () => undefined,
    interrupt: () => calls.push("interrupt"),
    async close(reason: CloseReason) {
      calls.push(`close: ${reason}`);
      resolveClosed(reason);
    },
  } as unknown as Transport;
  return { transport, calls, leave: () => resolveClosed("caller-left") };
}

const notConnected: Connect = () => Promise.reject(new Error("nobody asked"));

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test("a session that nobody connects to is abandoned after 120 s", async () => {
  const { sessions, create, log } = registry();
  const session = create();
  await vi.advanceTimersByTimeAsync(119_999);
  expect(session.state).toBe("pending");
  expect(sessions.counts).toEqual({ pending: 1, active: 0 });
  await vi.advanceTimersByTimeAsync(1);
  expect(await session.ended).toBe("abandoned");
  expect(sessions.counts).toEqual({ pending: 0, active: 0 });
  expect(sessions.find(session.id)).toBeUndefined();
  expect(session.signal.aborted).toBe(true);
  expect(log.lines.filter(({ message }) => message.startsWith("session ended"))).toMatchObject([
    { fields: { session: session.id, reason: "abandoned", durationMs: 120_000 } },
  ]);
});

test("the bot gets frozen arguments with everything the contract promises", async () => {
  let given: RunnerArguments | undefined;
  const { create } = registry({
    bot: (args) => {
      given = args;
    },
  });
  const session = create({ who: "me" });
  const { transport } = fakeTransport();
  session.run<SessionArguments & { readonly wire: string }>(
    { transport: "toy", wire: "x", callData: { streamId: "s", callId: "c" } },
    async () => transport,
  );
  expect(given, "the transport that runs it finishes first").toBeUndefined();
  await settle();
  expect(given).toMatchObject({
    transport: "toy",
    wire: "x",
    sessionId: session.id,
    body: { who: "me" },
    callData: { streamId: "s", callId: "c" },
    signal: session.signal,
    handleSigint: false,
    handleSigterm: false,
    cliArgs: {},
    session: { id: session.id },
  });
  expect(Object.isFrozen(given)).toBe(true);
  expect(connectOf({ ...given } as SessionArguments), "survives a spread").toBeTypeOf("function");
  expect(given?.session).not.toHaveProperty("end");
});

test("a transport's own body overrides that of the start request, also by null", async () => {
  const bodies: unknown[] = [];
  const { create } = registry({ bot: ({ body }) => void bodies.push(body) });
  create("started").run({ transport: "toy" }, notConnected);
  create("started").run({ transport: "toy", body: "own" }, notConnected);
  create("started").run({ transport: "toy", body: null }, notConnected);
  await settle();
  expect(bodies).toEqual(["started", "own", null]);
});

test("a session is run once", async () => {
  const { create } = registry();
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  expect(() => session.run({ transport: "toy" }, notConnected)).toThrow(
    expect.objectContaining({ code: "SESSION_NOT_PENDING" }),
  );
  await session.end("ended-by-request");
  expect(() => session.run({ transport: "toy" }, notConnected)).toThrow("is ended");
});

test("the transport is made once, and closed when the bot returns", async () => {
  const { transport, calls } = fakeTransport();
  const errors: unknown[] = [];
  const { create, sessions } = registry({
    bot: async (args) => {
      expect(await connectOf(args)({})).toBe(transport);
      await connectOf(args)({}).catch((error) => errors.push(error));
    },
  });
  const session = create();
  session.run({ transport: "toy" }, async () => transport);
  expect(sessions.counts).toEqual({ pending: 0, active: 1 });
  expect(await session.ended).toBe("bot-finished");
  expect(errors).toMatchObject([{ code: "TRANSPORT_ALREADY_CREATED" }]);
  expect(calls).toEqual(["close: bot-finished"]);
  expect(sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("a bot that throws is logged with its stack and ends its session at once, dropping what is queued", async () => {
  const { transport, calls } = fakeTransport();
  const failure = new Error("no microphone");
  const { create, log } = registry({
    bot: async (args) => {
      await connectOf(args)({});
      throw failure;
    },
  });
  const session = create();
  session.run({ transport: "toy" }, async () => transport);
  expect(await session.ended).toBe("bot-failed");
  expect(calls).toEqual(["interrupt", "close: bot-failed"]);
  expect(log.lines.filter(({ level }) => level === "error")).toMatchObject([
    { message: "the bot failed", fields: { err: failure, session: session.id } },
  ]);
});

test("a bot that throws before anything is awaited ends only its own session", async () => {
  const { create } = registry({
    bot: () => {
      throw new Error("at once");
    },
  });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  expect(await session.ended).toBe("bot-failed");
});

test("a session that ends before its bot was called does not call it", async () => {
  const bot = vi.fn();
  const { create } = registry({ bot });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  await session.end("ended-by-request");
  expect(await session.ended).toBe("ended-by-request");
  expect(bot).not.toHaveBeenCalled();
});

test("a bot that stops by the abort of its signal is no failure", async () => {
  const { create, log } = registry({
    bot: async ({ signal }) => {
      await untilAborted({ signal } as RunnerArguments);
      signal.throwIfAborted();
    },
  });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  await settle();
  await session.end("ended-by-request");
  expect(await session.ended).toBe("ended-by-request");
  expect(log.messages("error")).toEqual([]);
});

test("a transport that is still being built when the caller leaves holds nobody up, and is closed when it arrives", async () => {
  const { transport, calls } = fakeTransport();
  let arrive: (transport: Transport) => void = () => undefined;
  const refusals: unknown[] = [];
  const { create } = registry({
    bot: async (args) => {
      await connectOf(args)({}).catch((error) => refusals.push(error));
    },
  });
  const session = create();
  session.run({ transport: "toy" }, () => new Promise((resolve) => (arrive = resolve)));
  await settle();
  await session.end("transport-failed");
  expect(refusals).toMatchObject([{ code: "TRANSPORT_NOT_CONNECTED" }]);
  arrive(transport);
  await settle();
  expect(calls).toEqual(["interrupt", "close: transport-failed"]);
});

test("after the end, connect is refused", async () => {
  let late: Connect = notConnected;
  const { create } = registry({
    bot: (args) => {
      late = connectOf(args);
    },
  });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  await session.ended;
  await expect(late({})).rejects.toMatchObject({ code: "TRANSPORT_NOT_CONNECTED" });
});

test("what a session owns is released once, the latest first, whatever fails", async () => {
  const released: string[] = [];
  const { create, log } = registry();
  const session = create();
  session.own((reason) => released.push(`first: ${reason}`));
  session.own(() => {
    released.push("throws");
    throw new Error("stuck");
  });
  session.own(() => {
    released.push("hangs");
    return new Promise(() => undefined);
  });
  session.own(async () => {
    await null;
    released.push("last");
  });
  const ended = session.end("ended-by-request");
  void session.end("shutdown");
  await vi.advanceTimersByTimeAsync(2_000);
  await ended;
  expect(released).toEqual(["last", "hangs", "throws", "first: ended-by-request"]);
  expect(log.messages("error")).toEqual([
    "what the session owned is not released after 2 s: going on without it",
    "what the session owned could not be released",
  ]);
  session.own((reason) => released.push(`too late: ${reason}`));
  expect(released.at(-1)).toBe("too late: ended-by-request");
});

test("the signal is aborted when the session is over, so that what the bot left running stops", async () => {
  let signal: AbortSignal | undefined;
  const { create } = registry({
    bot: (args) => {
      signal = args.signal;
    },
  });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  await session.ended;
  expect(signal?.aborted).toBe(true);
});

test("sessions are found by id and alias, and aliases are freed at the end", async () => {
  const { sessions, create } = registry();
  const [one, two] = [create(), create()];
  one.alias("CA123");
  expect(sessions.find("CA123")).toBe(one);
  expect(sessions.get("CA123"), "an alias is no id").toBeUndefined();
  expect(() => two.alias("CA123")).toThrow(expect.objectContaining({ code: "SESSION_ALIAS_TAKEN" }));
  expect(() => two.alias(one.id)).toThrow(expect.objectContaining({ code: "SESSION_ALIAS_TAKEN" }));
  await one.end("ended-by-request");
  expect(sessions.find("CA123")).toBeUndefined();
  two.alias("CA123");
  expect(sessions.find("CA123")).toBe(two);
  one.alias("late");
  expect(sessions.find("late"), "an ended session has no alias").toBeUndefined();
  await two.end("ended-by-request");
});

test("a session whose things are still being released is found no more, and still counts", async () => {
  const { sessions, create } = registry({ maxSessions: 1 });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  session.own(() => released);
  await settle();
  void session.end("ended-by-request");
  await settle();
  expect(session.state).toBe("ended");
  expect(sessions.find(session.id)).toBeUndefined();
  expect(sessions.counts.active).toBe(1);
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  release();
  await session.ended;
  expect(sessions.counts.active).toBe(0);
});

test("active sessions are limited: neither a further start nor a race of pending ones gets past it", async () => {
  const { sessions, create } = registry({ maxSessions: 1 });
  const [one, two] = [create(), create()];
  one.run({ transport: "toy" }, notConnected);
  expect(() => two.run({ transport: "toy" }, notConnected)).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY", status: 429 }));
  expect(two.state).toBe("pending");
  await settle();
  await one.end("ended-by-request");
  two.run({ transport: "toy" }, notConnected);
  expect(sessions.counts).toEqual({ pending: 0, active: 1 });
  await settle();
  await two.end("ended-by-request");
});

test("pending sessions are limited to four for each place: the oldest is evicted", async () => {
  const { sessions, create } = registry({ maxSessions: 2 });
  const started = Array.from({ length: 10 }, () => create());
  expect(sessions.counts.pending).toBe(8);
  expect(await Promise.all([started[0]?.ended, started[1]?.ended])).toEqual(["evicted", "evicted"]);
  expect(started[2]?.state).toBe("pending");
  await sessions.endAll("ended-by-request");
  expect([...sessions]).toEqual([]);
});

test("without a limit, 1,000 sessions may be pending", async () => {
  const { sessions, create } = registry();
  for (let count = 0; count < 1_500; count++) create();
  expect(sessions.counts).toEqual({ pending: 1_000, active: 0 });
  await sessions.endAll("ended-by-request");
});

test("draining refuses the new, ends the pending, and waits for the active", async () => {
  const { sessions, create } = registry();
  const [waiting, talking] = [create(), create()];
  talking.run({ transport: "toy" }, notConnected);
  await settle();
  let drained = false;
  void sessions.drain().then(() => {
    drained = true;
  });
  expect(await waiting.ended).toBe("shutdown");
  expect(() => create()).toThrow(expect.objectContaining({ code: "DRAINING", status: 503 }));
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect([drained, talking.state]).toEqual([false, "active"]);
  await talking.end("ended-by-request");
  await settle();
  expect(drained).toBe(true);
});

test("shutting down gives bots 2 s and then goes on without them", async () => {
  const { sessions, create, log } = registry({ bot: () => new Promise(() => undefined) });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  await settle();
  const down = sessions.shutDown(2_000);
  expect(session.signal.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(2_000);
  await down;
  expect(await session.ended).toBe("shutdown");
  expect(log.messages("warn")).toEqual(["the bot still ran when the runner closed"]);
  expect(sessions.counts).toEqual({ pending: 0, active: 0 });
});

test("code finds its session, however late it runs, and the sessions of two runners are apart", async () => {
  const found: unknown[] = [];
  const one = registry({
    bot: async ({ sessionId, signal, session }) => {
      const note = (where: string) => found.push([where, one.sessions.current()?.id === sessionId]);
      note("bot");
      setTimeout(() => note("timer"), 10);
      signal.addEventListener("abort", () => note("abort listener"));
      session.own(() => note("release"));
      await vi.advanceTimersByTimeAsync(10);
      note("after an await");
      expect(two.sessions.current()).toBeUndefined();
    },
  });
  const two = registry();
  const session = one.create();
  session.run({ transport: "toy" }, notConnected);
  await session.ended;
  expect(found).toEqual([
    ["bot", true],
    ["timer", true],
    ["after an await", true],
    ["abort listener", true],
    ["release", true],
  ]);
  expect(one.sessions.current()).toBeUndefined();
});

import {
  type Connect,
  connectOf,
  type RunnerArguments,
  type SessionArguments,
  type Transport,
} from "@pipecat-ts/runner-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fakeTransport, notConnected, toySessions, untilAborted } from "./test/toy-sessions.ts";

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

test("the bot gets frozen arguments with everything the contract promises", async () => {
  let given: RunnerArguments | undefined;
  const { create } = toySessions({
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
  const { create } = toySessions({ bot: ({ body }) => void bodies.push(body) });
  create("started").run({ transport: "toy" }, notConnected);
  create("started").run({ transport: "toy", body: "own" }, notConnected);
  create("started").run({ transport: "toy", body: null }, notConnected);
  await settle();
  expect(bodies).toEqual(["started", "own", null]);
});

test("a session is run once", async () => {
  const { create } = toySessions();
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
  const { create, sessions } = toySessions({
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
  const { create, log } = toySessions({
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
  const { create } = toySessions({
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
  const { create } = toySessions({ bot });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  await session.end("ended-by-request");
  expect(await session.ended).toBe("ended-by-request");
  expect(bot).not.toHaveBeenCalled();
});

test("a bot that stops by the abort of its signal is no failure", async () => {
  const { create, log } = toySessions({
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
  const { create } = toySessions({
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
  const { create } = toySessions({
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
  const { create, log } = toySessions();
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
  const { create } = toySessions({
    bot: (args) => {
      signal = args.signal;
    },
  });
  const session = create();
  session.run({ transport: "toy" }, notConnected);
  await session.ended;
  expect(signal?.aborted).toBe(true);
});

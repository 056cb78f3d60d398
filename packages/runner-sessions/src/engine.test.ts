import { afterEach, beforeEach, expect, test, vi } from "vitest";
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

test("a session whose caller does not connect is abandoned after 120 s", async () => {
  const { engine, create, log } = createEngineFixture();
  const session = create();
  await vi.advanceTimersByTimeAsync(119_999);
  expect(session.state).toBe("pending");
  expect(engine.counts).toEqual({ pending: 1, active: 0 });
  await vi.advanceTimersByTimeAsync(1);
  expect(await session.ended).toBe("abandoned");
  expect(engine.counts).toEqual({ pending: 0, active: 0 });
  expect(engine.get(session.id)).toBeUndefined();
  expect(session.signal.aborted).toBe(true);
  expect(log.lines.filter(({ message }) => message === "session ended")).toMatchObject([
    { fields: { session: session.id, reason: "abandoned", durationMs: 120_000 } },
  ]);
});

test("a session whose caller's phone rings has a place, waits for the time that its transport says, and ends at a drain", async () => {
  const { engine, create, log } = createEngineFixture({ maxSessions: 2 });
  const [one, two] = [create(undefined, { ringMs: 300_000 }), create(undefined, { ringMs: 200_000 })];
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  await vi.advanceTimersByTimeAsync(199_999);
  expect([one.rings, two.rings, two.state]).toEqual([true, true, "pending"]);
  await vi.advanceTimersByTimeAsync(1);
  expect(await two.ended).toBe("abandoned");
  const { id, startedAt } = two;
  expect(engine.findEnded(id)).toEqual({ id, transport: "fake", startedAt, durationMs: 200_000, reason: "abandoned" });
  const answered = engine.create({ name: "fake", logger: log }, { ringMs: 300_000 });
  answered.run({}, neverConnected);
  expect(answered.rings).toBe(false);
  const drained = engine.drain(60_000);
  expect(await one.ended).toBe("shutdown");
  expect(answered.state).toBe("active");
  await answered.end("ended-by-request");
  expect(await drained).toBe(true);
});

test("a plugin finds its sessions by id and alias, and no other plugin's; aliases are free again at the end", async () => {
  const { engine, create, log } = createEngineFixture();
  const [one, two] = [create(), create()];
  const foreign = engine.create({ name: "other", logger: log });
  one.alias("CA123");
  foreign.alias("CA123");
  expect(engine.find("fake", "CA123")).toBe(one);
  expect(engine.find("other", "CA123")).toBe(foreign);
  expect(engine.find("other", one.id)).toBeUndefined();
  expect(engine.get("CA123"), "an alias is not an id").toBeUndefined();
  expect(() => two.alias("CA123")).toThrow(expect.objectContaining({ code: "SESSION_ALIAS_TAKEN" }));
  expect(() => two.alias(one.id)).toThrow(expect.objectContaining({ code: "SESSION_ALIAS_TAKEN" }));
  await one.end("ended-by-request");
  expect(engine.find("fake", "CA123")).toBeUndefined();
  two.alias("CA123");
  expect(engine.find("fake", "CA123")).toBe(two);
  one.alias("late");
  expect(engine.find("fake", "late"), "an ended session has no alias").toBeUndefined();
  await engine.endAll("ended-by-request");
});

test("aliases are free again when the connection to the caller is closed, while the bot still runs", async () => {
  const { engine, create } = createEngineFixture({
    async bot(args) {
      if (args.body === "closes") void (await connect(args)).close();
      await untilAborted(args);
    },
  });
  const [closed, left, next] = [create("closes"), create(), create()];
  closed.alias("CA1");
  left.alias("CA2");
  closed.run({}, async () => createFakePort().port);
  left.run({}, neverConnected);
  await vi.advanceTimersByTimeAsync(100);
  left.callerLeft();
  for (const [session, key] of [
    [closed, "CA1"],
    [left, "CA2"],
  ] as const) {
    expect(session.state).toBe("active");
    expect(engine.get(session.id)).toBe(session);
    expect(engine.find("fake", key)).toBeUndefined();
    next.alias(key);
  }
  await Promise.all([closed.end("shutdown"), left.end("shutdown")]);
  expect(engine.find("fake", "CA1"), "of the session that has it now").toBe(next);
  await engine.endAll("shutdown");
});

test("a session may have an id that its caller chose, while no other session has it", async () => {
  const { engine, create, log } = createEngineFixture();
  const session = create(undefined, { id: "my-session_1" });
  expect(session.id).toBe("my-session_1");
  expect(engine.get("my-session_1")).toBe(session);
  expect(engine.find("fake", "my-session_1")).toBe(session);
  const taken = expect.objectContaining({ code: "SESSION_ID_TAKEN", status: 409 });
  expect(() => create(undefined, { id: "my-session_1" })).toThrow(taken);
  expect(() => engine.create({ name: "other", logger: log }, { id: "my-session_1" })).toThrow(taken);
  session.alias("CA123");
  expect(() => create(undefined, { id: "CA123" })).toThrow(taken);
  const released = Promise.withResolvers<void>();
  session.onEnd(() => released.promise);
  const ended = session.end("ended-by-request");
  expect(() => create(undefined, { id: "my-session_1" }), "its cleanup runs").toThrow(taken);
  released.resolve();
  await ended;
  expect(create(undefined, { id: "my-session_1" }).state).toBe("pending");
  await engine.endAll("ended-by-request");
});

test.each(["", "a b", "a/b", "a.1", "ä", "../x", "a\n", "x".repeat(129)])("%j is not accepted as an id", async (id) => {
  const { engine, create } = createEngineFixture();
  expect(() => create(undefined, { id })).toThrow(expect.objectContaining({ code: "REQUEST_INVALID", status: 400 }));
  expect(engine.counts.pending).toBe(0);
});

test("an id that a caller chose does not hide the alias of another plugin's session", async () => {
  const { engine, create, log } = createEngineFixture();
  const phone = engine.create({ name: "phone", logger: log });
  const chosen = create(undefined, { id: "CA123" });
  phone.alias("CA123");
  expect(engine.find("phone", "CA123")).toBe(phone);
  expect(engine.find("fake", "CA123")).toBe(chosen);
  await engine.endAll("ended-by-request");
});

test("a session in cleanup is not found any more, and still counts", async () => {
  const { engine, create } = createEngineFixture({ maxSessions: 1 });
  const session = create();
  session.run({}, neverConnected);
  const released = Promise.withResolvers<void>();
  session.onEnd(() => released.promise);
  await settle();
  void session.end("ended-by-request");
  await settle();
  expect(session.state).toBe("ended");
  expect(engine.get(session.id)).toBeUndefined();
  expect(engine.counts.active).toBe(1);
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  released.resolve();
  await session.ended;
  expect(engine.counts.active).toBe(0);
});

test("active sessions are limited: neither another start nor a race of pending ones exceeds the limit", async () => {
  const { engine, create } = createEngineFixture({ maxSessions: 1 });
  const [one, two] = [create(), create()];
  one.run({}, neverConnected);
  expect(() => two.run({}, neverConnected)).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY", status: 429 }));
  expect(two.state, "it may try again").toBe("pending");
  await settle();
  await one.end("ended-by-request");
  two.run({}, neverConnected);
  expect(engine.counts).toEqual({ pending: 0, active: 1 });
  await settle();
  await two.end("ended-by-request");
});

test("a session that reserved its place keeps it from start to end, and is not rejected", async () => {
  const { engine, create } = createEngineFixture({ maxSessions: 1 });
  const ringing = create(undefined, { reserve: true });
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  expect(engine.counts).toEqual({ pending: 1, active: 0 });
  engine.assertAccepting(ringing);
  await ringing.end("caller-left");
  const answered = create(undefined, { reserve: true });
  answered.run({}, neverConnected);
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  await settle();
  await answered.end("ended-by-request");
  create();
  await engine.endAll("ended-by-request");
});

test("pending sessions are limited to four per place: the oldest is evicted, unless it reserved its place", async () => {
  const { engine, create } = createEngineFixture({ maxSessions: 2 });
  const reserved = create(undefined, { reserve: true });
  const started = Array.from({ length: 9 }, () => create());
  expect(engine.counts.pending).toBe(8);
  expect(await Promise.all([started[0]?.ended, started[1]?.ended])).toEqual(["evicted", "evicted"]);
  expect([reserved.state, started[2]?.state]).toEqual(["pending", "pending"]);
  await engine.endAll("ended-by-request");
  expect([...engine]).toEqual([]);
});

test("without a limit, 1,000 sessions may be pending, with bodies of 32 MiB together", async () => {
  const { engine, create } = createEngineFixture();
  for (let count = 0; count < 1_500; count++) create();
  expect(engine.counts).toEqual({ pending: 1_000, active: 0 });
  for (let count = 0; count < 40; count++) create("x".repeat(1_000_000));
  expect(engine.counts.pending).toBeLessThan(20);
  await engine.endAll("ended-by-request");
});

test("draining rejects new sessions, ends pending ones, and waits for active ones", async () => {
  const { engine, create } = createEngineFixture();
  const [waiting, talking] = [create(), create()];
  talking.run({}, neverConnected);
  await settle();
  const drained = vi.fn();
  void engine.drain(7_200_000).then(drained);
  expect(await waiting.ended).toBe("shutdown");
  expect(() => create()).toThrow(expect.objectContaining({ code: "DRAINING", status: 503 }));
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(drained).not.toHaveBeenCalled();
  expect(talking.state).toBe("active");
  await talking.end("ended-by-request");
  await settle();
  expect(drained).toHaveBeenCalledExactlyOnceWith(true);
});

test("draining leaves a session alone that reserved its place", async () => {
  const { engine, create } = createEngineFixture();
  const ringing = create(undefined, { reserve: true });
  const drained = vi.fn();
  void engine.drain(60_000).then(drained);
  await settle();
  expect(ringing.state).toBe("pending");
  ringing.run({}, neverConnected);
  await settle();
  expect(ringing.state).toBe("active");
  expect(drained).not.toHaveBeenCalled();
  await ringing.end("ended-by-request");
  await settle();
  expect(drained).toHaveBeenCalledExactlyOnceWith(true);
});

test("draining ends at its limit", async () => {
  const { engine, create } = createEngineFixture();
  const session = create();
  session.run({}, neverConnected);
  const drained = engine.drain(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await drained).toBe(false);
  expect(session.state).toBe("active");
  await session.end("shutdown");
});

test("shutting down gives bots 2 s, and then ends their sessions by force", async () => {
  const { engine, create, log } = createEngineFixture({ bot: () => new Promise(() => undefined) });
  const session = create();
  session.run({}, neverConnected);
  await settle();
  const down = engine.shutDown(2_000);
  expect(session.signal.aborted).toBe(true);
  await vi.advanceTimersByTimeAsync(2_000);
  await down;
  expect(await session.ended).toBe("shutdown");
  expect(log.messages("warn")).toEqual(["bot still ran when the runner closed"]);
  expect(engine.counts).toEqual({ pending: 0, active: 0 });
});

test("code finds its session, however late it runs, and sessions of two engines are separate", async () => {
  const found: unknown[] = [];
  const one = createEngineFixture({
    async bot({ sessionId, signal, session }) {
      const note = (where: string) => found.push([where, one.engine.current()?.id === sessionId]);
      note("bot");
      setTimeout(() => note("timer"), 10);
      signal.addEventListener("abort", () => note("abort listener"));
      session.onEnd(() => note("cleanup"));
      await vi.advanceTimersByTimeAsync(10);
      note("after an await");
      expect(two.engine.current()).toBeUndefined();
    },
  });
  const two = createEngineFixture();
  const session = one.create();
  session.run({}, neverConnected);
  await session.ended;
  expect(found).toEqual([
    ["bot", true],
    ["timer", true],
    ["after an await", true],
    ["abort listener", true],
    ["cleanup", true],
  ]);
  expect(one.engine.current()).toBeUndefined();
});

test("with pendingTakesPlace, pending sessions count toward the limit, and each keeps its place", async () => {
  const { engine, create } = createEngineFixture({ maxSessions: 1, pendingTakesPlace: true });
  const session = create();
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  expect(session.state, "it is not evicted").toBe("pending");
  engine.assertAccepting(session);
  session.run({}, neverConnected);
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  await settle();
  await session.end("ended-by-request");
  await create().end("ended-by-request");
});

test("with pendingTakesPlace, draining still ends pending sessions", async () => {
  const { engine, create } = createEngineFixture({ maxSessions: 1, pendingTakesPlace: true });
  const session = create();
  const drained = engine.drain(1_000);
  expect(await session.ended).toBe("shutdown");
  expect(await drained).toBe(true);
});

test("an observer learns of beginnings, ends, aliases, records and rejected callers, and sessionIds names the sessions", async () => {
  const seen: unknown[] = [];
  const { engine, create } = createEngineFixture({
    maxSessions: 1,
    sessionIds: () => "one",
    observer: {
      changed: ({ id, transport, state }, reason) => seen.push([id, transport, state, ...(reason ? [reason] : [])]),
      aliased: ({ id }, key) => seen.push([id, key]),
      remembered: ({ id, owner }, record) => seen.push([id, owner, record]),
      rejected: () => seen.push("rejected"),
    },
  });
  const session = create();
  session.alias("CA123");
  session.run({}, neverConnected);
  session.rememberForCrash({ callId: "CA123" });
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  await settle();
  await session.end("ended-by-request");
  session.alias("late");
  void engine.drain(1_000);
  expect(() => create()).toThrow(expect.objectContaining({ code: "DRAINING" }));
  expect(seen).toEqual([
    ["one", "fake", "pending"],
    ["one", "CA123"],
    ["one", "fake", "active"],
    ["one", "fake", { callId: "CA123" }],
    "rejected",
    ["one", "fake", "ended", "ended-by-request"],
    "rejected",
  ]);
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { notConnected, toySessions } from "./test/toy-sessions.ts";

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

test("a session that nobody connects to is abandoned after 120 s", async () => {
  const { sessions, create, log } = toySessions();
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

test("sessions are found by id and alias, and aliases are freed at the end", async () => {
  const { sessions, create } = toySessions();
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
  const { sessions, create } = toySessions({ maxSessions: 1 });
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
  const { sessions, create } = toySessions({ maxSessions: 1 });
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

test("a session that holds its place has it from its start to its end, and is refused no more", async () => {
  const { sessions, create } = toySessions({ maxSessions: 1 });
  const ringing = create(undefined, { holdsPlace: true });
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  expect(sessions.counts).toEqual({ pending: 1, active: 0 });
  sessions.refuseCallerOf(ringing.id);
  await ringing.end("caller-left");
  const answered = create(undefined, { holdsPlace: true });
  answered.run({ transport: "toy" }, notConnected);
  expect(() => create()).toThrow(expect.objectContaining({ code: "AT_CAPACITY" }));
  await settle();
  await answered.end("ended-by-request");
  create();
  await sessions.endAll("ended-by-request");
});

test("pending sessions are limited to four for each place: the oldest is evicted", async () => {
  const { sessions, create } = toySessions({ maxSessions: 2 });
  const started = Array.from({ length: 10 }, () => create());
  expect(sessions.counts.pending).toBe(8);
  expect(await Promise.all([started[0]?.ended, started[1]?.ended])).toEqual(["evicted", "evicted"]);
  expect(started[2]?.state).toBe("pending");
  await sessions.endAll("ended-by-request");
  expect([...sessions]).toEqual([]);
});

test("without a limit, 1,000 sessions may be pending", async () => {
  const { sessions, create } = toySessions();
  for (let count = 0; count < 1_500; count++) create();
  expect(sessions.counts).toEqual({ pending: 1_000, active: 0 });
  await sessions.endAll("ended-by-request");
});

test("draining refuses the new, ends the pending, and waits for the active", async () => {
  const { sessions, create } = toySessions();
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
  const { sessions, create, log } = toySessions({ bot: () => new Promise(() => undefined) });
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
  const one = toySessions({
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
  const two = toySessions();
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

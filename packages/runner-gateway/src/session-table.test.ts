import { expect, test, vi } from "vitest";
import type { SessionMessage } from "./messages.ts";
import { createSessionTable } from "./session-table.ts";

const node = "0000000a";

function session(id: string, state: SessionMessage["state"]): SessionMessage {
  return { kind: "session", id, transport: "fake", state };
}

test("a session is found by its id and aliases until it ends, and by the worker that its id names also afterwards", () => {
  const table = createSessionTable(node);
  expect(table.apply(1, session("chosen", "pending"))).toBe(true);
  expect(table.apply(1, session("chosen", "active"))).toBe(false);
  table.apply(1, { kind: "alias", id: "chosen", key: "unverified:CA1" });
  expect(table.findId("chosen")).toBe(1);
  for (const key of ["CA1", "unverified:CA1"]) expect(table.findAlias(key)).toBe(1);
  expect([table.findAlias("chosen"), table.findId("CA1")]).toEqual([undefined, undefined]);
  expect(table.counts).toEqual({ pending: 0, active: 1 });
  table.apply(1, session("chosen", "ended"));
  for (const key of ["CA1", "unverified:CA1"]) expect(table.findAlias(key)).toBeUndefined();
  expect(table.findId("chosen")).toBeUndefined();
  expect([table.count(1), table.counts]).toEqual([0, { pending: 0, active: 0 }]);
  table.apply(1, { kind: "alias", id: "chosen", key: "late" });
  expect(table.findAlias("late")).toBeUndefined();

  expect(table.ownerOf(`${node}-0007-8000-8000-000000000000.1.x`)).toBe(7);
  expect(table.ownerOf("0000000b-0007-8000-8000-000000000000"), "of another gateway").toBeUndefined();
});

test("a later session takes over an alias, and keeps it when the earlier one ends", () => {
  const table = createSessionTable(node);
  table.apply(1, session("one", "pending"));
  table.apply(2, session("two", "pending"));
  table.apply(1, { kind: "alias", id: "one", key: "CA1" });
  table.apply(2, { kind: "alias", id: "two", key: "CA1" });
  table.apply(1, session("one", "ended"));
  expect(table.findAlias("CA1")).toBe(2);
});

test("an alias that is not verified hides none that is, and releases no claim of it", () => {
  const claimed = new Set<string>();
  const table = createSessionTable(node, { claim: (key) => claimed.add(key), release: (key) => claimed.delete(key) });
  table.apply(1, session("one", "active"));
  table.apply(2, session("two", "active"));
  table.apply(1, { kind: "alias", id: "one", key: "CA1" });
  table.apply(2, { kind: "alias", id: "two", key: "unverified:CA1" });
  expect([table.findAlias("CA1"), table.findAlias("unverified:CA1")]).toEqual([1, 2]);
  table.apply(2, session("two", "ended"));
  expect(table.findAlias("CA1")).toBe(1);
  expect([...claimed]).toEqual(["id:one", "alias:CA1"]);
});

test("sessions of two workers with one chosen id are counted and ended each by itself", () => {
  const table = createSessionTable(node);
  expect(table.apply(1, session("same", "active"))).toBe(true);
  expect(table.apply(2, session("same", "active"))).toBe(true);
  table.apply(1, { kind: "alias", id: "same", key: "CA1" });
  expect([table.count(1), table.count(2), table.findId("same"), table.findAlias("CA1")]).toEqual([1, 1, 2, 1]);
  table.apply(1, { ...session("same", "ended"), reason: "caller-left" });
  expect([table.count(1), table.count(2), table.findId("same")]).toEqual([0, 1, 2]);
  expect(table.findEnded("same")).toBeUndefined();
  expect(table.remove(2).map(({ id }) => id)).toEqual(["same"]);
  expect(table.findEnded("same")).toMatchObject({ reason: "crashed" });
});

test("the sessions of a worker that ended are returned and forgotten", () => {
  const table = createSessionTable(node);
  table.apply(1, session("one", "active"));
  table.apply(2, session("two", "active"));
  table.apply(1, session("three", "pending"));
  expect(table.remove(1).map(({ id }) => id)).toEqual(["one", "three"]);
  expect([table.findId("one"), table.findId("two"), table.count(1), table.count(2)]).toEqual([undefined, 2, 0, 1]);
});

test("the oldest pending session is found when it has waited long enough", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const table = createSessionTable(node);
  table.apply(1, session("active", "pending"));
  table.apply(1, session("active", "active"));
  table.apply(1, session("one", "pending"));
  vi.advanceTimersByTime(1_000);
  table.apply(1, session("two", "pending"));
  expect(table.oldestPending(2_000)).toBeUndefined();
  expect(table.oldestPending(500)?.id).toBe("one");
  vi.useRealTimers();
});

test("a session whose caller's phone rings is not the oldest pending one", () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  const table = createSessionTable(node);
  table.apply(1, { ...session("ringing", "pending"), rings: true });
  table.apply(1, session("waiting", "pending"));
  vi.advanceTimersByTime(1_000);
  expect(table.oldestPending(500)?.id).toBe("waiting");
  vi.useRealTimers();
});

test("how a session ended is known after its end and after the end of its worker, until it is live again", () => {
  const table = createSessionTable(node);
  table.apply(1, session("one", "active"));
  table.apply(1, session("two", "active"));
  expect(table.findEnded("one")).toBeUndefined();
  table.apply(1, { ...session("one", "ended"), reason: "busy" });
  table.remove(1);
  expect(table.findEnded("one")).toMatchObject({ id: "one", transport: "fake", reason: "busy" });
  expect(table.findEnded("two")).toMatchObject({ reason: "crashed" });
  table.apply(2, session("one", "pending"));
  expect(table.findEnded("one")).toBeUndefined();
});

test("a fleet is told chosen ids and verified call ids until their sessions end, and no call id that is not verified", () => {
  const claimed = new Set<string>();
  const table = createSessionTable(node, { claim: (key) => claimed.add(key), release: (key) => claimed.delete(key) });
  table.apply(1, session("chosen", "pending"));
  table.apply(1, { kind: "alias", id: "chosen", key: "unverified:CA1" });
  table.apply(1, { kind: "alias", id: "chosen", key: "v3:CA2" });
  expect([...claimed]).toEqual(["id:chosen", "alias:unverified:CA1", "alias:v3:CA2"]);
  table.apply(1, session("chosen", "ended"));
  expect([...claimed]).toEqual([]);
});

import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, test } from "vitest";
import { createPacer } from "./pacer.ts";
import { catchUncaught } from "./test/catch-uncaught.ts";
import { createFakeClock } from "./test/fake-clock.ts";

describe("a pacer", () => {
  test("ticks at start + n × period without drift, however late its timers run", async () => {
    const clock = createFakeClock(0);
    const due: number[] = [];
    const late = { ...clock, after: (ms: number, callback: () => void) => clock.after(ms + 3, callback) };
    createPacer({ clock: late }).every(20, (dueMs) => due.push(dueMs));
    await clock.advance(60_003);
    expect(due.length).toBe(3_000);
    expect(due.at(-1)).toBe(60_000);
  });

  test("has one timer for all sessions, and none after the last has stopped", async () => {
    const clock = createFakeClock();
    const pacer = createPacer({ clock });
    expect(clock.timers).toBe(0);
    const stops = Array.from({ length: 200 }, () => pacer.every(20, () => undefined));
    await clock.advance(100);
    expect(clock.timers).toBe(1);
    expect(clock.started).toBeLessThan(10); // 200 sessions in step need one timer per period
    for (const stop of stops) {
      stop();
      stop();
    }
    expect(clock.timers).toBe(0);
  });

  test("runs the due ticks of all sessions in order after a late timer", async () => {
    const clock = createFakeClock(0);
    const pacer = createPacer({ clock });
    const ticks: string[] = [];
    pacer.every(20, (dueMs) => ticks.push(`a${dueMs}`));
    await clock.advance(5);
    pacer.every(40, (dueMs) => ticks.push(`b${dueMs}`));
    await clock.stall(95);
    expect(ticks).toEqual(["a20", "a40", "b45", "a60", "a80", "b85", "a100"]);
    await clock.advance(20);
    expect(ticks.slice(7)).toEqual(["a120"]);
  });

  test("reports once per run that the event loop was more than 200 ms late", async () => {
    const clock = createFakeClock(0);
    const lags: number[] = [];
    const pacer = createPacer({ clock, onLate: (lagMs) => lags.push(lagMs) });
    for (let count = 0; count < 3; count++) pacer.every(20, () => undefined);
    await clock.stall(220);
    expect(lags).toEqual([]);
    await clock.stall(300);
    expect(lags).toEqual([280]);
  });

  test("restarts a series that is more than 200 ms late instead of sending a burst", async () => {
    const clock = createFakeClock(0);
    const due: number[] = [];
    createPacer({ clock }).every(20, (dueMs) => due.push(dueMs));
    await clock.stall(1_005);
    await clock.advance(40);
    expect(due).toEqual([1_005, 1_025, 1_045]);
  });

  test("allows a tick to stop itself, other ticks and the whole series", async () => {
    const clock = createFakeClock();
    const pacer = createPacer({ clock });
    const ticks: string[] = [];
    const stopA = pacer.every(20, () => {
      ticks.push("a");
      stopA();
      stopB();
    });
    const stopB = pacer.every(20, () => ticks.push("b"));
    await clock.advance(200);
    expect(ticks).toEqual(["a"]);
    expect(clock.timers).toBe(0);
  });

  test("measures the lag of ticks", async () => {
    const clock = createFakeClock();
    const pacer = createPacer({ clock });
    pacer.every(20, () => undefined);
    await clock.advance(198);
    expect(pacer.lag.count).toBe(9);
    expect(pacer.lag.percentileMs(99)).toBe(0);
    await clock.stall(10);
    expect(pacer.lag.maxMs).toBe(8);
    expect(pacer.lag.percentileMs(100)).toBe(8);
    expect(pacer.lag.percentileMs(50)).toBe(0);
    pacer.lag.reset();
    expect(pacer.lag.count).toBe(0);
    expect(pacer.lag.percentileMs(99)).toBe(0);
  });

  test("runs each tick in the scope in which it was registered, and its timer in none", async () => {
    const clock = createFakeClock();
    const storage = new AsyncLocalStorage<string>();
    const scopes: unknown[] = [];
    const watched = {
      ...clock,
      after(ms: number, callback: () => void) {
        scopes.push(["timer", storage.getStore()]);
        return clock.after(ms, callback);
      },
    };
    const pacer = createPacer({ clock: watched });
    const note = () => scopes.push(["tick", storage.getStore()]);
    storage.run("a", () => pacer.every(20, note));
    storage.run("b", () => pacer.every(20, note));
    await clock.advance(20);
    expect(scopes).toEqual([
      ["timer", undefined],
      ["tick", "a"],
      ["tick", "b"],
      ["timer", undefined],
    ]);
  });

  test("continues when a tick throws, and the exception is uncaught in that session's scope", async () => {
    const clock = createFakeClock();
    const pacer = createPacer({ clock });
    const storage = new AsyncLocalStorage<string>();
    const uncaught: unknown[] = [];
    let others = 0;
    storage.run("culprit", () =>
      pacer.every(20, () => {
        throw new Error("tick");
      }),
    );
    pacer.every(20, () => others++);
    await catchUncaught(
      (error) => uncaught.push([error.message, storage.getStore()]),
      () => clock.advance(40),
    );
    expect(others).toBe(2);
    expect(uncaught).toEqual([
      ["tick", "culprit"],
      ["tick", "culprit"],
    ]);
  });

  test("passes the exception of a tick to onError, in the scope of the tick", async () => {
    const clock = createFakeClock();
    const storage = new AsyncLocalStorage<string>();
    const errors: unknown[] = [];
    const pacer = createPacer({ clock, onError: (error) => errors.push([error, storage.getStore()]) });
    storage.run("culprit", () =>
      pacer.every(20, () => {
        throw "tick";
      }),
    );
    await clock.advance(20);
    expect(errors).toEqual([["tick", "culprit"]]);
  });
});

import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { handleUncaughtErrors, nameLeakedListeners, stopOnSignals } from "./process-events.ts";

function setUp(active = 0, reload?: () => void) {
  const source = Object.assign(new EventEmitter(), { exit: vi.fn() });
  const drained = Promise.withResolvers<void>();
  const sessions = { counts: { pending: 0, active } } as never;
  const runner = { drain: vi.fn(() => drained.promise), close: vi.fn(async () => undefined), sessions };
  const logger = { info: vi.fn() } as never as Parameters<typeof stopOnSignals>[1];
  const stopped = stopOnSignals(runner, logger, source, reload);
  const send = (signal: string) => source.emit(signal, signal);
  return { source, runner, logger, drained, stopped, send };
}

test("SIGINT closes at once and removes the listeners", async () => {
  const { source, runner, stopped, send } = setUp();
  send("SIGINT");
  await stopped;
  expect(runner.close).toHaveBeenCalledOnce();
  expect(runner.drain).not.toHaveBeenCalled();
  expect(source.eventNames()).toEqual([]);
});

test.each(["SIGTERM", "SIGHUP"])("%s drains, and logs the number of calls", async (signal) => {
  const { source, runner, logger, drained, stopped, send } = setUp(2);
  send(signal);
  expect(runner.drain).toHaveBeenCalledOnce();
  expect(logger.info).toHaveBeenCalledWith(
    { signal, calls: 2 },
    "waiting for calls to end; a second signal exits at once",
  );
  expect(source.listenerCount(signal)).toBe(1);
  drained.resolve();
  await stopped;
  expect(source.eventNames()).toEqual([]);
  expect(source.exit).not.toHaveBeenCalled();
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
])("a second signal, %s, exits at once with %i", (signal, code) => {
  const { source, runner, send } = setUp(1);
  send("SIGTERM");
  vi.spyOn(performance, "now").mockReturnValue(performance.now() + 1_001);
  send(signal);
  expect(source.exit).toHaveBeenCalledExactlyOnceWith(code);
  expect(runner.close).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

test.each([
  ["SIGTERM", "SIGTERM"],
  ["SIGHUP", "SIGHUP"], // A terminal that is closed.
  ["SIGTERM", "SIGHUP"],
])("%s and %s within 1 s are one signal", (first, second) => {
  const { source, runner, send } = setUp(1);
  send(first);
  send(second);
  expect(source.exit).not.toHaveBeenCalled();
  send("SIGINT");
  expect(source.exit).toHaveBeenCalledExactlyOnceWith(130);
  expect(runner.drain).toHaveBeenCalledOnce();
});

test("with a function that reloads, SIGHUP calls it each time, and stops nothing", () => {
  const reload = vi.fn();
  const { source, runner, send } = setUp(1, reload);
  send("SIGHUP");
  send("SIGHUP");
  expect(reload).toHaveBeenCalledTimes(2);
  expect([source.exit, runner.drain, runner.close].map((called) => called.mock.calls.length)).toEqual([0, 0, 0]);
});

test("stopOnSignals rejects when the runner cannot stop, and removes the listeners", async () => {
  const { source, drained, stopped, send } = setUp();
  send("SIGTERM");
  drained.reject(new Error("stuck"));
  await expect(stopped).rejects.toThrow("stuck");
  expect(source.eventNames()).toEqual([]);
});

/** Handles uncaught errors of a fake process. `belongs`: whether they belong to a session. */
function handleErrors(belongs: boolean) {
  const source = Object.assign(new EventEmitter(), { exit: vi.fn() });
  const runner = { handleUncaught: vi.fn(() => belongs) };
  const logger = { error: vi.fn(), debug: vi.fn() };
  const crash = vi.fn();
  handleUncaughtErrors(runner, logger as never, crash, source);
  return { source, runner, logger, crash };
}

describe("uncaught errors", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test.each([
    ["unhandledRejection", true, { logs: 0, crashes: 0 }],
    ["uncaughtException", true, { logs: 0, crashes: 0 }],
    ["unhandledRejection", false, { logs: 1, crashes: 0 }],
    ["uncaughtException", false, { logs: 1, crashes: 1 }],
  ])("%s that belongs to a session (%s)", (event, belongs, { logs, crashes }) => {
    const { source, runner, logger, crash } = handleErrors(belongs);
    const err = new Error("stray");
    source.emit(event, err);
    expect(runner.handleUncaught).toHaveBeenCalledExactlyOnceWith(err);
    expect(logger.error).toHaveBeenCalledTimes(logs);
    if (logs > 0) expect(logger.error).toHaveBeenCalledWith({ err }, expect.any(String));
    expect(crash).toHaveBeenCalledTimes(crashes);
    expect(vi.getTimerCount()).toBe(crashes);
  });

  test("the runner is stopped once, and the process exits with 1 after 5 s at the latest", () => {
    const { source, logger, crash } = handleErrors(false);
    for (let count = 0; count < 3; count++) source.emit("uncaughtException", new Error(`${count}`));
    expect(crash).toHaveBeenCalledOnce();
    expect(logger.error).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(4_999);
    expect(source.exit).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(source.exit).toHaveBeenCalledExactlyOnceWith(1);
  });

  test("the process exits with 1 at once when an exception cannot be handled", () => {
    const { source, logger } = handleErrors(false);
    logger.error.mockImplementation(() => {
      throw new Error("cannot log");
    });
    source.emit("uncaughtException", new Error("first"));
    expect(source.exit).toHaveBeenCalledExactlyOnceWith(1);
  });
});

test("Node's warning about many listeners is logged with the session that registered them", async () => {
  const storage = new AsyncLocalStorage<{ logger: { warn: ReturnType<typeof vi.fn> } }>();
  const session = { logger: { warn: vi.fn() } };
  const source = new EventEmitter();
  nameLeakedListeners({ sessions: { current: () => storage.getStore() as never } }, source);
  const forward = (warning: Error) => void source.emit("warning", warning);
  process.on("warning", forward);
  const leak = () => {
    const emitter = new EventEmitter();
    for (let count = 0; count < 11; count++) emitter.on("data", () => undefined);
  };
  leak();
  storage.run(session, () => process.emitWarning("another one"));
  storage.run(session, leak);
  await expect.poll(() => session.logger.warn.mock.calls).toHaveLength(1);
  process.off("warning", forward);
  expect(session.logger.warn).toHaveBeenCalledWith(
    { err: expect.objectContaining({ name: "MaxListenersExceededWarning" }) },
    "many listeners of one emitter",
  );
});

import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import { stopOnSignals } from "./signals.ts";

function setUp(active = 0) {
  const source = Object.assign(new EventEmitter(), { exit: vi.fn() });
  const drained = Promise.withResolvers<void>();
  const sessions = { counts: { pending: 0, active } } as never;
  const runner = { drain: vi.fn(() => drained.promise), close: vi.fn(async () => undefined), sessions };
  const logger = { info: vi.fn() } as never as Parameters<typeof stopOnSignals>[1];
  const stopped = stopOnSignals(runner, logger, source);
  const send = (signal: string) => source.emit(signal, signal);
  return { source, runner, logger, drained, stopped, send };
}

test("SIGINT closes at once, and no handler is left", async () => {
  const { source, runner, stopped, send } = setUp();
  send("SIGINT");
  await stopped;
  expect(runner.close).toHaveBeenCalledOnce();
  expect(runner.drain).not.toHaveBeenCalled();
  expect(source.eventNames()).toEqual([]);
});

test("SIGTERM drains, and says for how many calls it waits", async () => {
  const { source, runner, logger, drained, stopped, send } = setUp(2);
  send("SIGTERM");
  expect(runner.drain).toHaveBeenCalledOnce();
  expect(logger.info).toHaveBeenCalledWith("SIGTERM: waiting for 2 calls; a second signal exits at once");
  expect(source.listenerCount("SIGTERM")).toBe(1);
  drained.resolve();
  await stopped;
  expect(source.eventNames()).toEqual([]);
  expect(source.exit).not.toHaveBeenCalled();
});

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
])("a second signal, %s, exits at once with %i", (signal, code) => {
  const { source, runner, send } = setUp(1);
  send("SIGTERM");
  send(signal);
  expect(source.exit).toHaveBeenCalledExactlyOnceWith(code);
  expect(runner.close).not.toHaveBeenCalled();
});

test("a runner that fails to stop is an error, and no handler is left", async () => {
  const { source, drained, stopped, send } = setUp();
  send("SIGTERM");
  drained.reject(new Error("stuck"));
  await expect(stopped).rejects.toThrow("stuck");
  expect(source.eventNames()).toEqual([]);
});

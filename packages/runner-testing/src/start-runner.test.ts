import type { TransportPlugin } from "@pipecat-ts/runner-core";
import type { CallEnd, Caller, CallerLine, CallerPlugin, CallInvitation } from "@pipecat-ts/runner-core/caller";
import { createPlayout } from "@pipecat-ts/runner-core/caller";
import { expect, test, vi } from "vitest";
import { startRunner } from "./start-runner.ts";

function fakeCaller(hangUpError?: Error) {
  const closed = Promise.withResolvers<CallEnd>();
  const hangUp = vi.fn(async () => {
    closed.resolve({ reason: "" });
    if (hangUpError) throw hangUpError;
  });
  const caller: Caller = {
    sampleRate: 8_000,
    playout: createPlayout(),
    sendAudio: () => undefined,
    drop: () => undefined,
    closed: closed.promise,
    hangUp,
  };
  return { caller, hangUp };
}

async function start(dial: CallerLine["dial"], publicUrl?: URL) {
  const close = vi.fn(async () => undefined);
  const open = vi.fn(async () => ({ dial, close }));
  const callers: CallerPlugin[] = [{ apiVersion: 1, name: "fake", starts: false, open }];
  const runner = await startRunner({
    bot: async () => undefined,
    plugins: [],
    callers,
    ...(publicUrl && { publicUrl }),
  });
  const isServed = async () =>
    await fetch(runner.url).then(
      () => true,
      () => false,
    );
  return { runner, open, close, isServed };
}

test("a caller gets the runner's own address and its public URL, which vendors sign", async () => {
  const publicUrl = new URL("https://bots.example.com");
  const invitations: CallInvitation[] = [];
  const { runner } = await start(async (invitation) => {
    invitations.push(invitation);
    return fakeCaller().caller;
  }, publicUrl);
  await runner.call("fake");
  expect(invitations).toEqual([expect.objectContaining({ url: runner.url, publicUrl })]);
  await runner.close();
});

test("calls at the same time share the line of their transport", async () => {
  const { runner, open, close } = await start(async () => fakeCaller().caller);
  await Promise.all([runner.call("fake"), runner.call("fake")]);
  expect(open).toHaveBeenCalledTimes(1);
  await runner.close();
  expect(close).toHaveBeenCalledTimes(1);
});

test("a call that cannot hang up rejects the closing, after everything else is closed", async () => {
  const { runner, close, isServed } = await start(async () => fakeCaller(new Error("the wire is stuck")).caller);
  await runner.call("fake");
  await expect(runner.close()).rejects.toThrow("the wire is stuck");
  expect([await isServed(), close.mock.calls.length]).toEqual([false, 1]);
});

test("a call that is dialing hangs up when the runner is closed", async () => {
  const dialed = Promise.withResolvers<Caller>();
  const { runner, close } = await start(() => dialed.promise);
  const { caller, hangUp } = fakeCaller();
  const placing = runner.call("fake");
  const closing = runner.close();
  dialed.resolve(caller);
  await Promise.all([placing, closing]);
  expect([hangUp.mock.calls.length, close.mock.calls.length]).toEqual([1, 1]);
});

test("a line that does not open rejects the call, and nothing else", async () => {
  const unhandled = vi.fn();
  process.on("unhandledRejection", unhandled);
  const open = vi.fn(() => Promise.reject(new Error("no account")));
  const plugin: TransportPlugin = {
    apiVersion: 1,
    name: "fake",
    open: (context) => ({ start: () => ({ sessionId: context.createSession().id, body: {} }) }),
  };
  const runner = await startRunner({
    bot: async () => undefined,
    plugins: [plugin],
    callers: [{ apiVersion: 1, name: "fake", starts: true, open }],
  });
  await expect(runner.call("fake")).rejects.toThrow("no account");
  await runner.close();
  process.off("unhandledRejection", unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import type { Invitation } from "./adapter.ts";
import { within } from "./assertions.ts";
import { requirements, runRequirements, selectRequirements } from "./requirements.ts";
import { alter } from "./test/broken/fault.ts";
import { createTcpAdapter } from "./test/tcp/caller.ts";

test("a fake caller that cannot be dropped fails its requirements, and the others are still checked", async () => {
  const tcp = createTcpAdapter();
  const adapter = {
    ...tcp,
    connect: async (invitation: Invitation) => ({
      ...(await tcp.connect(invitation)),
      drop() {
        throw new Error("the fake caller is not connected");
      },
    }),
  };
  const jobs = selectRequirements(["START-1", "START-4"]).map((requirement) => ({ requirement, adapter }));
  expect(await runRequirements(jobs)).toMatchObject([
    { state: "unmet", because: expect.stringContaining("the fake caller is not connected") },
    { state: "met" },
  ]);
});

test("a caller who connects after its requirement has failed is dropped", async () => {
  const tcp = createTcpAdapter();
  const dropped = Promise.withResolvers<void>();
  const adapter = {
    ...tcp,
    async connect(invitation: Invitation) {
      const caller = await tcp.connect(invitation);
      await sleep(300);
      return { ...caller, drop: () => dropped.resolve(caller.drop()) };
    },
  };
  const jobs = selectRequirements(["START-1"]).map((requirement) => ({ requirement, adapter }));
  expect(await runRequirements(jobs, { timeoutMs: 100 })).toMatchObject([
    { state: "unmet", because: "the caller connects: not within 100 ms" },
  ]);
  await within("the caller is dropped", dropped.promise, 2_000);
});

test("FAIL-5 names an error that an earlier call caused outside of its session", async () => {
  const tcp = createTcpAdapter();
  const plugin: TransportPlugin = {
    ...tcp.plugin,
    open(runner, options) {
      setTimeout(() => {
        throw new Error("a timer of the plugin failed");
      }, 1);
      return tcp.plugin.open(runner, options);
    },
  };
  const jobs = selectRequirements(["START-1", "FAIL-5"]).map((requirement) => ({
    requirement,
    adapter: { ...tcp, plugin },
  }));
  expect(await runRequirements(jobs)).toMatchObject([
    { state: "met" },
    { state: "unmet", because: expect.stringMatching(/an earlier call .*a timer of the plugin failed/) },
  ]);
});

test("INTERRUPT-1 does not fail a jitter buffer that grew because the process was late while the caller connected", async () => {
  const lateMs = 200;
  const tcp = alter({
    port: (port) => ({
      send: (frame) => void setTimeout(port.send, lateMs, frame),
      clear: () => undefined,
      sendAheadMs: 0,
    }),
  });
  const adapter = {
    ...tcp,
    async connect(invitation: Invitation) {
      const caller = await tcp.connect(invitation);
      for (const untilMs = performance.now() + lateMs; performance.now() < untilMs; );
      return caller;
    },
  };
  const jobs = selectRequirements(["INTERRUPT-1"]).map((requirement) => ({ requirement, adapter }));
  expect(await runRequirements(jobs)).toMatchObject([{ state: "met", because: "" }]);
});

test("CHECK-1 does not count what the test runner opens while a transport is checked", async () => {
  const tcp = createTcpAdapter();
  const timers: NodeJS.Timeout[] = [];
  const openTimer = setInterval(() => timers.push(setTimeout(() => undefined, 500)), 1);
  const plugin: TransportPlugin = {
    ...tcp.plugin,
    async check() {
      while (timers.length < 2) await readFile(import.meta.filename);
      clearInterval(openTimer);
      return { state: "ready" };
    },
  };
  const jobs = selectRequirements(["CHECK-1"]).map((requirement) => ({ requirement, adapter: { ...tcp, plugin } }));
  expect(await runRequirements(jobs)).toMatchObject([{ state: "met", because: "" }]);
});

test("a suite whose callers never connect is red within 20 s", { timeout: 40_000 }, async () => {
  const adapter = { ...createTcpAdapter(), connect: () => new Promise<never>(() => undefined) };
  const beganAtMs = performance.now();
  const outcomes = await runRequirements(requirements.map((requirement) => ({ requirement, adapter })));
  expect(outcomes.filter(({ because }) => because.includes("the caller connects")).length).toBeGreaterThan(20);
  expect(performance.now() - beganAtMs).toBeLessThan(20_000);
});

import { expect, test } from "vitest";
import { requirements, runRequirements, selectRequirements } from "./requirements.ts";
import { createTcpAdapter } from "./test/tcp/caller.ts";

test("a fake caller that cannot be dropped fails its requirements, and the others are still checked", async () => {
  const tcp = createTcpAdapter();
  const adapter = {
    ...tcp,
    connect: async (...invitation: Parameters<typeof tcp.connect>) => ({
      ...(await tcp.connect(...invitation)),
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

test("a suite whose callers never connect is red within 20 s", { timeout: 40_000 }, async () => {
  const adapter = { ...createTcpAdapter(), connect: () => new Promise<never>(() => undefined) };
  const beganAtMs = performance.now();
  const outcomes = await runRequirements(requirements.map((requirement) => ({ requirement, adapter })));
  expect(outcomes.filter(({ because }) => because.includes("the caller connects")).length).toBeGreaterThan(20);
  expect(performance.now() - beganAtMs).toBeLessThan(20_000);
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { expect, test } from "vitest";

// What `node --test` does with tests that fail during a call.

test.concurrent.each([
  { form: "await using", latestMs: 8_000 },
  // The process waits 10 s for other work of the test.
  { form: "const", latestMs: 20_000 },
])("the process exits after a failed test with `$form call`", async ({ form, latestMs }) => {
  const { code, output, durationMs } = await runTests(form);
  expect(output).toContain("The caller heard 440 Hz");
  expect(code).toBe(1);
  expect(durationMs).toBeLessThan(latestMs);
});

test.concurrent("the process waits for an assertion that takes longer than an abandoned call", async () => {
  const { code, output } = await runTests("patient");
  expect(output).toContain("The caller heard 440 Hz");
  expect(code).toBe(1);
});

async function runTests(form: string) {
  const file = join(import.meta.dirname, "test/abandoned/failing.ts");
  const startedAtMs = performance.now();
  const child = spawn(process.execPath, ["--test", file], {
    env: { ...process.env, FORM: form, NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 40_000,
    killSignal: "SIGKILL",
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output, durationMs: performance.now() - startedAtMs };
}

import { fork } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const script = new URL("./test/timed-answers.ts", import.meta.url).pathname;

/** The durations of the answers of a new process, in ms. */
async function measureAnswers(): Promise<readonly number[]> {
  const child = fork(script, { execArgv: [] });
  const exited = once(child, "exit");
  const [times] = await Promise.race([once(child, "message"), exited]);
  await exited;
  return Array.isArray(times) ? times : expect.fail(`the process exited with ${times}`);
}

// Allows three times the target on a busy machine, and takes the best of several processes.
test("the first offer is answered within 60 ms, later ones within 15 ms", async () => {
  const first: number[] = [];
  const later: number[] = [];
  for (let process = 0; process < 3; process++) {
    const [own = Number.NaN, ...others] = await measureAnswers();
    first.push(own);
    later.push(...others);
  }
  expect(Math.min(...first)).toBeLessThan(3 * 60);
  expect(later.toSorted((a, b) => a - b)[Math.floor(later.length / 4)]).toBeLessThan(3 * 15);
});

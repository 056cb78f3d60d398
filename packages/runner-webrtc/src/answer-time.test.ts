import { fork } from "node:child_process";
import { once } from "node:events";
import { expect, test } from "vitest";

const script = new URL("./test/timed-answers.ts", import.meta.url).pathname;

/** How long the answers of a fresh process took, in ms. */
async function answersOfAProcess(): Promise<readonly number[]> {
  const child = fork(script, { execArgv: [] });
  const gone = once(child, "exit");
  const [times] = await Promise.race([once(child, "message"), gone]);
  await gone;
  return Array.isArray(times) ? times : expect.fail(`the process ended with ${times}`);
}

// Three times what is promised, and the best of some: what is slow is slow in each, a busy machine in some.
test("a first caller is answered within 60 ms, later ones within 15 ms", { timeout: 60_000 }, async () => {
  const first: number[] = [];
  const later: number[] = [];
  for (let process = 0; process < 3; process++) {
    const [one = Number.NaN, ...others] = await answersOfAProcess();
    first.push(one);
    later.push(...others);
  }
  expect(Math.min(...first)).toBeLessThan(3 * 60);
  expect(later.toSorted((a, b) => a - b)[Math.floor(later.length / 4)]).toBeLessThan(3 * 15);
});

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc, { type Arbitrary } from "fast-check";
import { expect } from "vitest";
import { micros } from "./cost.ts";

/** How many inputs each parser gets: 2,000 in the tests, 100,000 in the drill. */
const inputs = Number(process.env.PIPECAT_FUZZ_INPUTS ?? 2_000);
/** The seed of the inputs: always the same in the tests, so that a test that fails once fails again. */
const seed = Number(process.env.PIPECAT_FUZZ_SEED ?? 1);
/** How long a test may take whose inputs go over a socket, in ms. */
export const socketTimeoutMs = 30 * inputs;
/** How long one input may block the event loop, in ms. */
const maxBlockMs = 50;
/** How much memory all inputs together may leave behind, in bytes. */
const maxGrowthBytes = 10_000_000;

export interface FuzzOptions {
  /** How long one input may take, in ms. Default 50. */
  readonly maxMs?: number;
  /** Inputs that failed once: they are tried first. */
  readonly examples?: readonly unknown[];
}

/**
 * Passes many random inputs to a parser. Fails when it throws, when an input blocks the event loop for too long, and when
 * memory grows. `parse` must catch the errors with which the parser rejects its input, and no others.
 */
export async function fuzz<Input>(
  arbitrary: Arbitrary<Input>,
  parse: (input: Input) => unknown,
  { maxMs = maxBlockMs, examples = [] }: FuzzOptions = {},
): Promise<void> {
  const before = liveBytes();
  const property = fc.asyncProperty(arbitrary, async (input) => {
    const costMs = async () => (await micros(() => parse(input))) / 1_000;
    if ((await costMs()) <= maxMs) return;
    // It may have included the compiler or the garbage collector: only an input that is slow three times is slow.
    const again = [await costMs(), await costMs()];
    expect(Math.min(...again), "ms for one input").toBeLessThanOrEqual(maxMs);
  });
  await fc.assert(property, { numRuns: inputs, seed, examples: examples.map((example) => [example as Input]) });
  // Node frees the memory of collected typed arrays in the background.
  await expect.poll(() => liveBytes() - before, { message: "bytes left behind" }).toBeLessThan(maxGrowthBytes);
}

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

function liveBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

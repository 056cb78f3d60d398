import { expect, test } from "vitest";
import type { NodeReport } from "./directory.ts";
import { chooseNodes } from "./placement.ts";

function node(id: number, active: number, state: NodeReport["state"] = "ready"): NodeReport {
  const name = id.toString(16).padStart(8, "0");
  return { id: name, address: "x:1", version: "1", startedAt: "", state, active, pending: 0, places: 40 };
}

/** A sequence of random numbers that is the same in every run (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("up to three nodes are chosen, none twice, none that drains, and the freer one of two first", () => {
  const random = createRandom(1);
  for (let run = 0; run < 100; run++) {
    const chosen = chooseNodes([node(1, 0), node(2, 5), node(3, 9), node(4, 0, "draining"), node(5, 7)], random);
    const ids = chosen.map(({ id }) => id);
    expect(new Set(ids).size).toBe(3);
    expect(ids).not.toContain("00000004");
  }
  for (let run = 0; run < 20; run++) {
    expect(chooseNodes([node(1, 3), node(2, 1)], random).map(({ active }) => active)).toEqual([1, 3]);
  }
  expect(chooseNodes([], random)).toEqual([]);
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Directory, NodeReport } from "../directory.ts";

export function reportOf(id: string): NodeReport {
  const load = { state: "ready", active: 1, pending: 2, places: 40 } as const;
  return { id, address: "10.0.0.5:7861", version: "1.2.3", startedAt: "2026-01-01T00:00:00.000Z", ...load };
}

/** What every directory does. `pass` lets this many ms pass on its clock. */
export function describeDirectory(name: string, open: () => Directory, pass: (ms: number) => Promise<unknown>): void {
  describe(`the directory ${name}`, () => {
    let directory: Directory;
    beforeAll(() => {
      directory = open();
    });
    afterAll(async () => await directory.close());

    test("a lease shows a node to all until it ends, or the node leaves", async () => {
      expect(await directory.beat(reportOf("0000000a"), 60_000), "a new node").toEqual([]);
      expect(await directory.beat(reportOf("0000000b"), 1_500)).toEqual([reportOf("0000000a")]);
      const all = await directory.beat(reportOf("0000000a"), 60_000);
      expect(all.map(({ id }) => id).sort()).toEqual(["0000000a", "0000000b"]);
      await pass(1_600);
      expect(await directory.list()).toEqual([reportOf("0000000a")]);
      await directory.leave("0000000a");
      expect(await directory.list()).toEqual([]);
    });

    test("of 100 nodes that claim a key at once, one is the first, and all learn which", async () => {
      const nodes = Array.from({ length: 100 }, (_, index) => `node ${index}`);
      const winners = await Promise.all(nodes.map((node) => directory.claim("call", node, 60_000)));
      expect(new Set(winners).size).toBe(1);
      const [winner = ""] = winners;
      expect(await directory.find(["another", "call"])).toEqual([undefined, winner]);
      await directory.release("call", "a node without the claim");
      expect(await directory.find(["call"])).toEqual([winner]);
      await directory.release("call", winner);
      expect(await directory.find(["call"])).toEqual([undefined]);
    });

    test("a claim ends by itself unless it is renewed, and a renewal restores it", async () => {
      await directory.claim("one", "a", 300);
      await directory.claim("two", "a", 300);
      await directory.renew(["two", "three"], "a", 60_000);
      await pass(400);
      expect(await directory.find(["one", "two", "three"])).toEqual([undefined, "a", "a"]);
    });
  });
}

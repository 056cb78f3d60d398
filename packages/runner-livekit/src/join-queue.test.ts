import { expect, test } from "vitest";
import { createJoinQueue } from "./join-queue.ts";

const { signal } = new AbortController();

test("as many joins as the limit run at once, the others follow in order, and a turn ends once", async () => {
  const queue = createJoinQueue(2);
  const turns: number[] = [];
  const [first, second, third, fourth] = [0, 1, 2, 3].map(async (index) => {
    const endTurn = await queue.enter(signal);
    turns.push(index);
    return endTurn;
  });
  const end = await first;
  await second;
  expect(turns).toEqual([0, 1]);
  end?.();
  end?.();
  await third;
  expect(turns).toEqual([0, 1, 2]);
  (await second)?.();
  await fourth;
  expect(turns).toEqual([0, 1, 2, 3]);
});

test("a join that stops waiting has no turn, and those behind it have theirs", async () => {
  const queue = createJoinQueue(1);
  const stop = new AbortController();
  const endFirst = await queue.enter(signal);
  const stopped = queue.enter(stop.signal);
  const last = queue.enter(signal);
  stop.abort();
  expect(await stopped).toBe(undefined);
  expect(await queue.enter(stop.signal)).toBe(undefined);
  endFirst?.();
  expect(await last).toBeTypeOf("function");
});

test("a turn that comes when its join stops waiting is passed on", async () => {
  const queue = createJoinQueue(1);
  const stop = new AbortController();
  const endFirst = await queue.enter(signal);
  const stopped = queue.enter(stop.signal);
  stop.abort();
  endFirst?.();
  expect(await stopped).toBe(undefined);
  expect(await queue.enter(signal)).toBeTypeOf("function");
});

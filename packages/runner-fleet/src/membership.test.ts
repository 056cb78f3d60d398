import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createMemoryDirectory, type Directory, type NodeReport } from "./directory.ts";
import { createMembership } from "./membership.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
  return () => vi.useRealTimers();
});

function report(id: string): NodeReport {
  return { id, address: "x:1", version: "1", startedAt: "", state: "ready", active: 0, pending: 0, places: 4 };
}

/** A directory that can fail, and lose everything. */
function createFaultyDirectory() {
  let memory = createMemoryDirectory();
  let isDown = false;
  const directory = new Proxy({} as Directory, {
    get:
      (_, name: keyof Directory) =>
      (...args: never[]) =>
        isDown ? Promise.reject(new Error("down")) : (memory[name] as (...all: never[]) => unknown)(...args),
  });
  return {
    directory,
    fail: (down: boolean) => {
      isDown = down;
    },
    lose: () => {
      memory = createMemoryDirectory();
    },
  };
}

async function joined(directory: Directory, id: string) {
  const log = createRecordingLogger();
  const membership = createMembership(directory, log, () => undefined);
  await membership.join(() => report(id));
  onTestFinished(() => membership.leave());
  return { membership, log };
}

const messages = ({ log }: Awaited<ReturnType<typeof joined>>) => log.lines.map(({ message }) => message);

test("a node that stops beating is forgotten within 10 s, and one that beats never", async () => {
  const { directory } = createFaultyDirectory();
  const one = await joined(directory, "0000000a");
  await directory.beat(report("0000000b"), 5_000);
  const three = await joined(directory, "0000000c");
  await vi.advanceTimersByTimeAsync(1_300);
  expect([...one.membership.nodes.keys()].sort()).toEqual(["0000000b", "0000000c"]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect([...one.membership.nodes.keys()]).toEqual(["0000000c"]);
  expect(messages(one)).toEqual(["node joined", "node joined", "node left"]);
  await three.membership.leave();
  // 1.2 s until the next beat, then 3 s, then 1.2 s until the next beat.
  await vi.advanceTimersByTimeAsync(6_000);
  expect(one.membership.nodes.size).toBe(0);
});

test("nodes stay known while the directory fails for an hour, and after it lost everything", async () => {
  const { directory, fail, lose } = createFaultyDirectory();
  const one = await joined(directory, "0000000a");
  const two = await joined(directory, "0000000b");
  await vi.advanceTimersByTimeAsync(1_300);
  fail(true);
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(one.membership.isReachable).toBe(false);
  expect(messages(one).filter((message) => message === "directory of the fleet does not answer").length).toBeLessThan(
    62,
  );
  lose();
  fail(false);
  for (let second = 0; second < 10; second++) {
    await vi.advanceTimersByTimeAsync(1_000);
    expect([...one.membership.nodes.keys()]).toEqual(["0000000b"]);
  }
  expect(one.membership.isReachable).toBe(true);
  lose();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([...two.membership.nodes.keys()]).toEqual(["0000000a"]);
  expect(messages(two)).not.toContain("node left");
});

import { once } from "node:events";
import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { startRunner } from "./test/fixture.ts";

/** Bytes on the heap after garbage collection. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

test("start requests without callers are bounded, in number and in memory", async () => {
  await using host = await startRunner({ maxSessions: 10 });
  const batch = async (count: number) => {
    for (let started = 0; started < count; started += 50) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, () => host.post("/start", { body: "x".repeat(10_000) })),
      );
      expect(replies.every(({ status }) => status === 200)).toBe(true);
    }
  };
  await batch(200);
  host.log.lines.length = 0;
  const before = heapBytes();
  await batch(1_000);
  expect(host.runner.sessions.counts).toEqual({ pending: 40, active: 0 });
  host.log.lines.length = 0;
  // 1,000 bodies of 10 kB are 10 MB; those of 40 sessions are held, before and after.
  expect(heapBytes() - before).toBeLessThan(5_000_000);
  await host.runner.sessions.endAll("ended-by-request");
  expect([...host.runner.sessions]).toEqual([]);
});

test("the memory of start bodies with many small values, which take more memory than bytes, is bounded", async () => {
  const items = Array.from({ length: 9_000 }, (_, index) => `{"${index}":0}`);
  const text = "x".repeat(900_000);
  const init = { method: "POST", body: `{"body":[${items.join(",")}],"text":"${text}"}` };
  await using host = await startRunner();
  const before = heapBytes();
  for (let started = 0; started < 100; started++) expect((await host.fetch("/start", init)).status).toBe(200);
  // The newest is held, and all others take at most 32 MiB. 100 of them would take 150 MB.
  expect(heapBytes() - before).toBeLessThan(80_000_000);
  expect(host.runner.sessions.counts.pending).toBeGreaterThan(0);
});

test("large bodies evict the oldest pending sessions, and never an active one", async () => {
  await using host = await startRunner();
  const { id } = await host.call("x".repeat(1_000_000));
  for (let started = 0; started < 40; started++) await host.post("/start", { body: "x".repeat(1_000_000) });
  expect(host.runner.sessions.find(id)?.state).toBe("active");
  expect(host.runner.sessions.counts.pending).toBe(16);
});

test("900 silent connections do not block the server, and close() closes them", async () => {
  const host = await startRunner();
  const port = Number(host.runner.url.port);
  const idle = await Promise.all(
    Array.from({ length: 900 }, async () => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      await once(socket, "connect");
      return socket;
    }),
  );
  expect((await host.post("/start")).status).toBe(200);
  const closed = Promise.all(idle.map((socket) => new Promise((resolve) => socket.on("close", resolve))));
  for (const socket of idle) socket.resume();
  await host.runner.close();
  await closed;
});

test("200 calls that end in different ways leave no session behind", async () => {
  await using host = await startRunner({
    bot: async ({ body, signal }) => {
      if (body === "crash") throw new Error("crashed");
      if (body === "finish") return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const outcomes = ["crash", "finish", "leave", "end", "abandon"];
  const call = async (outcome: string) => {
    if (outcome === "abandon") {
      const { id } = (await host.post("/start")).body;
      await host.runner.sessions.find(String(id))?.end("abandoned");
      return;
    }
    const { socket, id } = await host.call(outcome);
    const closed = once(socket, "close");
    const session = host.runner.sessions.find(id);
    if (outcome === "leave") socket.close();
    if (outcome !== "crash" && outcome !== "finish") await session?.end("ended-by-request");
    await closed;
  };
  for (let round = 0; round < 8; round++) {
    await Promise.all(outcomes.flatMap((outcome) => Array.from({ length: 5 }, () => call(outcome))));
  }
  await expect.poll(() => host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  expect([...host.runner.sessions]).toEqual([]);
  const ended = host.log.messages("info").filter((event) => event === "session ended");
  expect(ended).toHaveLength(200);
  expect(new Set(host.log.lines.map(({ fields }) => fields.session)).size).toBeGreaterThanOrEqual(200);
});

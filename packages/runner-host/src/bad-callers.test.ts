import { once } from "node:events";
import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { startRunner } from "./test/fixture.ts";

/** Bytes on the heap once everything that nobody holds is gone. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

test("a loop of starts that never connects stays within the bound, in sessions and in memory", async () => {
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
  // 1,000 bodies of 10 kB are 10 MB: kept are those of 40, before and after.
  expect(heapBytes() - before).toBeLessThan(5_000_000);
  await host.runner.sessions.endAll("ended-by-request");
  expect([...host.runner.sessions]).toEqual([]);
});

test.each([
  ["lists of nothing", "[]"],
  ["objects of one field", '{"a":0}'],
  ["objects that are all different", (index: number) => `{"${index}":0}`],
])("starts with %s, which take far more memory than bytes, stay within the bound", async (_what, item) => {
  const items: string[] = [];
  for (let bytes = 0; bytes < 1_000_000; bytes += (items.at(-1)?.length ?? 0) + 1) {
    items.push(typeof item === "string" ? item : item(items.length));
  }
  const init = { method: "POST", body: `{"body":[${items.join(",")}]}` };
  await using host = await startRunner();
  const before = heapBytes();
  for (let started = 0; started < 30; started++) expect((await host.fetch("/start", init)).status).toBe(200);
  // The newest stays, and the bound for all others is 32 MiB. Thirty of them would be 150 MB to 400 MB.
  expect(heapBytes() - before).toBeLessThan(80_000_000);
  expect(host.runner.sessions.counts.pending).toBeGreaterThan(0);
});

test("large bodies push out the oldest that wait, and nobody who is there", async () => {
  await using host = await startRunner();
  const { id } = await host.call("x".repeat(1_000_000));
  for (let started = 0; started < 40; started++) await host.post("/start", { body: "x".repeat(1_000_000) });
  expect(host.runner.sessions.find(id)?.state).toBe("active");
  expect(host.runner.sessions.counts.pending).toBe(16);
});

test("a thousand sockets that never speak harm nobody, and closing sheds them", async () => {
  const host = await startRunner();
  const port = Number(host.runner.url.port);
  const idle = await Promise.all(
    Array.from({ length: 1_000 }, async () => {
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

test("two hundred calls in a row, well ended, refused, abandoned and crashed, leave nothing behind", async () => {
  await using host = await startRunner({
    bot: async ({ body, signal }) => {
      if (body === "crash") throw new Error("crashed");
      if (body === "finish") return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    },
  });
  const ways = ["crash", "finish", "leave", "end", "abandon"];
  for (let call = 0; call < 200; call++) {
    const way = ways[call % ways.length];
    if (way === "abandon") {
      const { id } = (await host.post("/start")).body;
      await host.runner.sessions.find(String(id))?.end("abandoned");
      continue;
    }
    const { socket, id } = await host.call(way);
    const closed = once(socket, "close");
    const session = host.runner.sessions.find(id);
    if (way === "leave") socket.close();
    if (way !== "crash" && way !== "finish") await session?.end("ended-by-request");
    await closed;
  }
  await expect.poll(() => host.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  expect([...host.runner.sessions]).toEqual([]);
  const ended = host.log.messages("info").filter((line) => line.startsWith("session ended"));
  expect(ended).toHaveLength(200);
  expect(new Set(host.log.lines.map(({ fields }) => fields.session)).size).toBeGreaterThanOrEqual(200);
});

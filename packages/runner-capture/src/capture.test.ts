import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bot, createTransport } from "@pipecat-ts/runner-core";
import { expect, onTestFinished, test } from "vitest";
import { startRunner } from "../../runner-host/src/test/fixture.ts";
import { createRecordedLog } from "../../runner-sessions/src/test/fixture.ts";
import { type CaptureOptions, createCapture } from "./capture.ts";
import { readCapture } from "./read.ts";

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-capture-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function capture(options: Partial<CaptureOptions> = {}) {
  const log = createRecordedLog();
  const folder = options.folder ?? createFolder();
  return { folder, log, wire: createCapture({ logger: log, ...options, folder }) };
}

const bot: Bot = async (args) => {
  const transport = await createTransport(args, { fake: () => ({}) } as object);
  await transport.closed;
};

const session = (id: string) => ({ id, owner: "fake", transport: "fake" });

test("a call has one file, from the request that started it to its end; a caller who never connects leaves none", async () => {
  const { folder, wire } = capture();
  const { post, call, runner } = await startRunner({ wire, bot });
  await post("/start", { body: "never" });
  const { id, socket } = await call({ plan: "gold" });
  socket.send('{"hello":1}');
  await expect.poll(() => runner.sessions.find(id)?.state).toBe("active");
  socket.close(1000, "bye");
  await expect.poll(() => runner.sessions.find(id)).toBe(undefined);
  await runner.close();
  const [name = "", ...others] = readdirSync(folder);
  expect(others).toEqual([]);
  expect(name).toMatch(new RegExp(`^\\d{4}-.*Z_fake_${id}\\.jsonl$`));
  const [header, ...events] = readFileSync(join(folder, name), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(header).toMatchObject({ version: 1, session: id, transport: "fake", plugin: "fake", media: false });
  expect(events.map(({ t: _, ...event }) => event)).toMatchObject([
    { type: "state", state: "pending" },
    { type: "http", method: "POST", url: "/start", body: '{"body":{"plan":"gold"}}', status: 200 },
    { type: "open", socket: 1, url: `/fake/${id}` },
    { type: "state", state: "active" },
    { type: "state", state: "connected" },
    { type: "message", socket: 1, from: "caller", text: '{"hello":1}' },
    { type: "close", socket: 1, by: "caller", code: 1000, reason: "bye" },
    { type: "state", state: "ended", reason: "caller-left" },
  ]);
});

test("the files that were written last are kept, and other files in the folder", async () => {
  const folder = createFolder();
  writeFileSync(join(folder, "notes.txt"), "mine");
  const old = ["2020-01-01T00-00-00.000Z_fake_a.jsonl", "2020-01-02T00-00-00.000Z_fake_b.jsonl"];
  for (const [day, name] of old.entries()) {
    writeFileSync(join(folder, name), "");
    utimesSync(join(folder, name), day, day);
  }
  const { wire } = capture({ folder, maxFiles: 2 });
  wire.observe(session("5f"), { type: "state", state: "pending" }, 0);
  wire.observe(session("5f"), { type: "state", state: "active" }, 1);
  wire.observe(session("5f"), { type: "state", state: "ended", reason: "caller-left" }, 2);
  await wire.close?.();
  expect(existsSync(join(folder, String(old[0])))).toBe(false);
  expect(readdirSync(folder).sort()).toEqual([old[1], expect.stringMatching(/_5f\.jsonl$/), "notes.txt"]);
});

test("a call that begins with a large body is captured completely", async () => {
  const { folder, log, wire } = capture();
  const body = "x".repeat(1_500_000);
  const request = { method: "POST", url: "/start", contentType: undefined, body, status: 200, replyType: undefined };
  wire.observe(session("5f"), { type: "state", state: "pending" }, 0);
  wire.observe(session("5f"), { type: "http", ...request, reply: undefined, durationMs: 1 }, 1);
  wire.observe(session("5f"), { type: "state", state: "active" }, 2);
  wire.observe(session("5f"), { type: "state", state: "ended", reason: "caller-left" }, 3);
  await wire.close?.();
  const [name = ""] = readdirSync(folder);
  expect((await readCapture(join(folder, name))).events).toHaveLength(4);
  expect(log.lines).toEqual([]);
});

test("when files cannot be written, one warning says so, and calls continue", async () => {
  const { folder, log, wire } = capture();
  rmSync(folder, { recursive: true });
  const { call, runner } = await startRunner({ wire });
  for (let count = 0; count < 3; count++) {
    const { id, socket } = await call();
    await expect.poll(() => log.lines.filter(({ level }) => level === "warn").length).toBe(1);
    socket.send("{}");
    expect(runner.sessions.find(id)?.state).toBe("active");
  }
  await runner.close();
  const warnings = log.lines.filter(({ level }) => level === "warn");
  expect(warnings).toEqual([
    { level: "warn", message: "call not captured; it continues", fields: { code: "ENOENT", folder } },
  ]);
});

test("calls that wait for their caller take bounded memory: the oldest are not captured", async () => {
  const { folder, wire, log } = capture();
  const request = { method: "POST", url: "/start", status: 200, durationMs: 0, body: "x".repeat(1024 * 1024) };
  for (let index = 0; index < 20; index++) {
    wire.observe(session(`s${index}`), { type: "state", state: "pending" }, index);
    wire.observe(session(`s${index}`), { type: "http", ...request }, index);
  }
  for (const id of ["s0", "s19"]) {
    wire.observe(session(id), { type: "state", state: "active" }, 30);
    wire.observe(session(id), { type: "state", state: "ended", reason: "caller-left" }, 31);
  }
  await wire.close?.();
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/_s19\.jsonl$/)]);
  expect(log.lines.map(({ fields }) => fields)).toEqual([expect.objectContaining({ code: "PENDING_TOO_LARGE" })]);
});

test("a call with more numbers than can be replaced is captured incompletely, with a warning", async () => {
  const { folder, log, wire } = capture();
  const message = (first: number) => ({
    ...({ type: "app", from: "caller" } as const),
    message: Array.from({ length: 6_000 }, (_, index) => `+4917012${first + index}`),
  });
  for (const id of ["s1", "s2"]) wire.observe(session(id), { type: "state", state: "pending" }, 0);
  wire.observe(session("s1"), { type: "state", state: "active" }, 1);
  wire.observe(session("s1"), message(300_000), 2);
  wire.observe(session("s1"), message(400_000), 3);
  wire.observe(session("s1"), { type: "state", state: "ended", reason: "caller-left" }, 4);
  await wire.close?.();
  const [name = "", ...others] = readdirSync(folder);
  expect(others).toEqual([]);
  expect(log.lines.map(({ fields }) => fields)).toEqual([{ code: "TOO_MANY_NUMBERS", folder }]);
  expect(readFileSync(join(folder, name), "utf8")).not.toMatch(/4917012[34]/);
  await expect(readCapture(join(folder, name))).rejects.toMatchObject({ code: "CAPTURE_INCOMPLETE" });
});

test("the reason of a close is redacted, and a message with many values is complete", async () => {
  const { folder, wire } = capture({ secrets: ["the-api-key"] });
  wire.observe(session("5f"), { type: "state", state: "pending" }, 0);
  wire.observe(
    session("5f"),
    {
      ...({ type: "state", state: "active" } as const),
      callData: { streamId: "s", callId: "c", from: "+4917012345678" },
      body: { from: "4917012345678", secret: "abc" },
    },
    1,
  );
  wire.observe(session("5f"), { type: "app", from: "bot", message: Array.from({ length: 25_000 }, () => 0) }, 2);
  wire.observe(session("5f"), { type: "close", socket: 1, by: "caller", code: 1000, reason: "the-api-key" }, 3);
  wire.observe(session("5f"), { type: "state", state: "ended", reason: "caller-left" }, 4);
  await wire.close?.();
  const [name = ""] = readdirSync(folder);
  const { events } = await readCapture(join(folder, name));
  expect(events[1]).toMatchObject({
    callData: { streamId: "s", callId: "c", from: "+1555010000001" },
    body: { from: "1555010000001", secret: "red" },
  });
  expect(Object(events[2]).message).toHaveLength(25_000);
  expect(events[3]).toMatchObject({ reason: "redacted---" });
});

test("a folder that cannot be created is rejected", () => {
  const file = join(createFolder(), "file");
  writeFileSync(file, "");
  expect(() => capture({ folder: join(file, "folder") })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

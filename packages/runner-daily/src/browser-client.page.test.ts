import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { countResources, settleResources, until } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createBrowserCall, pageFolder } from "./browser-client.ts";
import { findChromium } from "./chromium.ts";
import type { DailyCall, DailyCallListener, JoinRequest } from "./client.ts";
import { browserProcesses, browserProfiles } from "./test/browser-processes.ts";
import { openRoomServer, type RoomServer } from "./test/room-server.ts";

const program = findChromium(process.env.PIPECAT_CHROMIUM, process.env.PATH ?? "");
const calls: DailyCall[] = [];
let server: RoomServer;
let refusal: { readonly type: string; readonly text: string } | undefined;
let admission: () => Promise<void>;
beforeEach(async () => {
  refusal = undefined;
  admission = async () => undefined;
  server = await openRoomServer({ refuse: () => refusal, admission: () => admission() });
});
afterEach(async () => {
  await Promise.all(calls.splice(0).map((call) => call.close()));
  await server[Symbol.asyncDispose]();
});

/** A call, and the events of its listener. */
function open(options: { readonly bundleUrl?: string; readonly folder?: string; readonly find?: () => string } = {}) {
  const events: string[] = [];
  const joined: Readonly<Record<string, unknown>>[] = [];
  const lost: Error[] = [];
  let receivedFrames = 0;
  const listener: DailyCallListener = {
    joined: (participants) => joined.push(participants),
    event: ({ action }) => events.push(action),
    audio: () => receivedFrames++,
    played: (mark) => events.push(`played ${mark}`),
    lost: (error) => lost.push(error),
  };
  const { bundleUrl = server.bundleUrl, folder = pageFolder, find = () => program } = options;
  const call = createBrowserCall({ findProgram: find, folder, bundleUrl }, listener);
  calls.push(call);
  return { call, events, joined, lost, receivedFrames: () => receivedFrames };
}

const request = (more: Partial<JoinRequest> = {}): JoinRequest => ({
  roomUrl: `${server.origin}/room`,
  userName: "Bot",
  sampleRate: 24_000,
  receiveAudio: true,
  timeoutMs: 30_000,
  ...more,
});

async function expectNoBrowser(): Promise<void> {
  expect(browserProfiles()).toEqual([]);
  await until("no browser process is left", () => browserProcesses().length === 0, 2_000);
}

describe("joining", () => {
  test("a bot is in the room under its name until it leaves", async () => {
    const before = countResources();
    const { call, lost, events, joined } = open();
    await call.join(request());
    expect(joined).toHaveLength(1);
    expect(joined[0]?.local).toMatchObject({ user_name: "Bot", local: true });
    expect(server.names("room")).toEqual(["Bot"]);
    await until("it is emitted", () => events.length > 0, 2_000);
    await Promise.all([call.close(), call.close()]);
    await until("the room is empty", () => server.names("room").length === 0, 2_000);
    await expect(call.request("participantCounts")).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect([lost, events]).toEqual([[], ["joined-meeting"]]);
    await expectNoBrowser();
    expect(await settleResources(before)).toEqual([]);
  });

  test.each(["not-allowed", "exp-token", "no-room", "meeting-full"])(
    "%s is DAILY_JOIN_REFUSED, with Daily's text",
    async (type) => {
      refusal = { type, text: "the reason" };
      const { call, lost } = open();
      await expect(call.join(request({ token: "a.b.c" }))).rejects.toMatchObject({
        code: "DAILY_JOIN_REFUSED",
        message: expect.stringContaining(`${type}: the reason`),
      });
      expect(lost).toEqual([]);
      await expectNoBrowser();
    },
  );

  test("a call machine that cannot be loaded is DAILY_BUNDLE_UNREACHABLE, with its address", async () => {
    const { call } = open({ bundleUrl: "http://127.0.0.1:1/static" });
    await expect(call.join(request())).rejects.toMatchObject({
      code: "DAILY_BUNDLE_UNREACHABLE",
      message: expect.stringContaining("http://127.0.0.1:1/static"),
    });
    await expectNoBrowser();
  });

  test("a call machine that does not load in time is DAILY_JOIN_TIMEOUT", async () => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await until("it listens", () => silent.listening, 1_000);
    const { port } = silent.address() as { port: number };
    const { call } = open({ bundleUrl: `http://127.0.0.1:${port}` });
    await expect(call.join(request({ timeoutMs: 3_000 }))).rejects.toMatchObject({ code: "DAILY_JOIN_TIMEOUT" });
    silent.close();
    silent.closeAllConnections();
    await expectNoBrowser();
  });

  test("another version of daily-js is DAILY_SDK_MISSING", async () => {
    const { call } = open({ folder: changedPage((script) => `globalThis.Daily.version = () => "0.90.0";\n${script}`) });
    await expect(call.join(request())).rejects.toMatchObject({
      code: "DAILY_SDK_MISSING",
      message: "daily-js is 0.90.0; bots require exactly 0.92.2.",
    });
    await expectNoBrowser();
  });

  test("the fake call machine rejects versions of daily-js whose protocol it does not know", async () => {
    // The first call of version() is ours, the second is daily-js's own.
    const script = 'let calls = 0;\nglobalThis.Daily.version = () => (calls++ === 0 ? "0.92.2" : "0.90.0");';
    const { call } = open({ folder: changedPage((page) => `${script}\n${page}`) });
    await expect(call.join(request())).rejects.toMatchObject({
      code: "DAILY_JOIN_REFUSED",
      message: expect.stringContaining("this fake supports daily-js 0.92.2, not 0.90.0"),
    });
  });

  test("a missing browser is DAILY_BROWSER_MISSING", async () => {
    const { call } = open({ find: () => findChromium("/nowhere/chromium", "") });
    await expect(call.join(request())).rejects.toMatchObject({ code: "DAILY_BROWSER_MISSING" });
    await expectNoBrowser();
  });

  test.each([
    ["at once", () => true],
    ["when its browser has started", () => browserProcesses().length > 0],
    ["when the call machine is loading", () => server.loads > 0],
  ])("a join that is closed %s rejects, and leaves nothing", async (_, condition) => {
    const { call, events } = open();
    const joining = call.join(request());
    joining.catch(() => undefined);
    await until("it has come so far", condition, 10_000);
    const closing = call.close();
    await expect(joining).rejects.toMatchObject({ code: "CALL_ENDED" });
    await closing;
    expect(events).toEqual([]);
    await expectNoBrowser();
  });

  test("a join after the close rejects, and leaves nothing", async () => {
    const before = countResources();
    const { call } = open();
    await call.close();
    await expect(call.join(request())).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect(await settleResources(before)).toEqual([]);
  });

  test("a join that is closed when the room has admitted the bot rejects, and the bot leaves the room", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    admission = () => promise;
    const { call } = open();
    const joining = call.join(request());
    joining.catch(() => undefined);
    await until("the room has admitted it", () => server.names("room").length > 0, 10_000);
    await call.close();
    await expect(joining).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect([server.names("room"), server.lost]).toEqual([[], 0]);
    resolve();
    await expectNoBrowser();
  });

  test("a browser that is killed during the join is DAILY_BROWSER_CRASHED", async () => {
    const { call } = open();
    const joining = call.join(request());
    joining.catch(() => undefined);
    await until("the browser runs", () => browserProcesses().length > 0, 10_000);
    process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
    await expect(joining).rejects.toMatchObject({ code: "DAILY_BROWSER_CRASHED" });
    await expectNoBrowser();
  });
});

describe("in the room", () => {
  test("events are delivered after the bot has joined", async () => {
    await open().call.join(request({ userName: "Ann" }));
    const { promise, resolve } = Promise.withResolvers<void>();
    admission = () => promise;
    const { call, events, joined, receivedFrames } = open();
    const joining = call.join(request());
    // Audio follows the events on the same socket.
    await until("audio has arrived", () => receivedFrames() > 0, 10_000);
    expect(events).toEqual([]);
    resolve();
    await joining;
    await until("all are delivered", () => events.includes("joined-meeting"), 2_000);
    expect([joined.length, events[0]]).toEqual([1, "participant-joined"]);
  });

  test("an answered request is garbage-collected", async () => {
    const { call } = open();
    await call.join(request());
    const answer = new WeakRef((await call.request("participantCounts")) as object);
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const isCollected = () => {
      collect();
      return answer.deref() === undefined;
    };
    await until("the answer is collected", isCollected, 5_000);
  });

  test("a browser that is killed is reported once, and nothing follows", async () => {
    const { call, lost, events } = open();
    await call.join(request());
    process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
    await until("it is emitted", () => lost.length > 0, 5_000);
    expect(lost).toMatchObject([{ code: "DAILY_BROWSER_CRASHED" }]);
    await call.close();
    expect(lost).toHaveLength(1);
    expect(events.filter((action) => action === "left-meeting")).toEqual([]);
    await expectNoBrowser();
  });

  test("a renderer that is killed is reported too", async () => {
    const { call, lost } = open();
    await call.join(request());
    for (const { pid, args } of browserProcesses()) if (args.includes("--type=renderer")) process.kill(pid, "SIGKILL");
    await until("it is emitted", () => lost.length > 0, 5_000);
    expect(lost).toMatchObject([{ code: "DAILY_BROWSER_CRASHED" }]);
    await call.close();
    await expectNoBrowser();
  });

  test("marks are reported when everything before them was played, and never after a clear", async () => {
    const { call, events } = open();
    await call.join(request());
    for (let n = 0; n < 10; n++) call.sendAudio(new Int16Array(480));
    call.markAudio("first");
    const sentAt = performance.now();
    await until("the mark is reported", () => events.includes("played first"), 5_000);
    expect(performance.now() - sentAt).toBeGreaterThan(150);
    for (let n = 0; n < 50; n++) call.sendAudio(new Int16Array(480));
    call.markAudio("cleared");
    call.clearAudio();
    call.markAudio("after");
    await until("the mark after the clear is reported", () => events.includes("played after"), 500);
    expect(events).not.toContain("played cleared");
  });

  test("without MediaStreamTrackProcessor, a worklet captures audio", async () => {
    const folder = changedPage((script) => `delete globalThis.MediaStreamTrackProcessor;\n${script}`);
    const bot = open({ folder });
    const other = open();
    await bot.call.join(request());
    await other.call.join(request({ userName: "Other" }));
    await until("both receive audio", () => bot.receivedFrames() > 20 && other.receivedFrames() > 20, 10_000);
  });
});

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A copy of the page with a changed script. */
function changedPage(change: (script: string) => string): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-page-"));
  folders.push(folder);
  cpSync(pageFolder, folder, { recursive: true });
  const script = join(folder, "page.js");
  // Imports are hoisted: code before them runs after the imported modules and before the rest.
  writeFileSync(script, change(readFileSync(script, "utf8")));
  return folder;
}

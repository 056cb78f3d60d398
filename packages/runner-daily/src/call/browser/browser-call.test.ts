import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { countResources, settleResources, until } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { pageFolder } from "../../page-folder.ts";
import { browserProcesses, profiles } from "../../test/browser-remains.ts";
import { openRoomServer, type RoomServer } from "../../test/call-machine/room-server.ts";
import type { DailyCall, DailyCallListener, JoinRequest } from "../daily-call.ts";
import { createBrowserCall } from "./browser-call.ts";
import { findChromium } from "./find-chromium.ts";

const program = findChromium(process.env.PIPECAT_CHROMIUM, process.env.PATH ?? "");
const calls: DailyCall[] = [];
let server: RoomServer;
let refusal: { readonly type: string; readonly text: string } | undefined;
let letIn: () => Promise<void>;
beforeEach(async () => {
  refusal = undefined;
  letIn = async () => undefined;
  server = await openRoomServer({ refuse: () => refusal, letIn: () => letIn() });
});
afterEach(async () => {
  await Promise.all(calls.splice(0).map((call) => call.close()));
  await server[Symbol.asyncDispose]();
});

/** A call that tells what happened to it. */
function open(options: { readonly bundleUrl?: string; readonly folder?: string; readonly find?: () => string } = {}) {
  const told: string[] = [];
  const lost: Error[] = [];
  let heardFrames = 0;
  const listener: DailyCallListener = {
    event: ({ action }) => told.push(action),
    audio: () => heardFrames++,
    played: (mark) => told.push(`played ${mark}`),
    lost: (error) => lost.push(error),
  };
  const { bundleUrl = server.bundleUrl, folder = pageFolder(), find = () => program } = options;
  const call = createBrowserCall({ findProgram: find, pageFolder: folder, bundleUrl }, listener);
  calls.push(call);
  return { call, told, lost, heardFrames: () => heardFrames };
}

const request = (more: Partial<JoinRequest> = {}): JoinRequest => ({
  roomUrl: `${server.origin}/room`,
  userName: "Bot",
  sampleRate: 24_000,
  hears: true,
  timeoutMs: 30_000,
  ...more,
});

async function nothingLeft(): Promise<void> {
  expect(profiles()).toEqual([]);
  await until("no browser process is left", () => browserProcesses().length === 0, 2_000);
}

describe("joining", () => {
  test("a bot is in the room under its name, and gone when it leaves", async () => {
    const before = countResources();
    const { call, lost, told } = open();
    const { participants } = await call.join(request());
    expect(participants.local).toMatchObject({ user_name: "Bot", local: true });
    expect(server.names("room")).toEqual(["Bot"]);
    await until("it is told", () => told.length > 0, 2_000);
    await Promise.all([call.close(), call.close()]);
    await until("the room is empty", () => server.names("room").length === 0, 2_000);
    await expect(call.request("participantCounts")).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect([lost, told]).toEqual([[], ["joined-meeting"]]);
    await nothingLeft();
    expect(await settleResources(before)).toEqual([]);
  });

  test.each(["not-allowed", "exp-token", "no-room", "meeting-full"])(
    "%s is DAILY_JOIN_REFUSED, in Daily's words",
    async (type) => {
      refusal = { type, text: "because we say so" };
      const { call, lost } = open();
      await expect(call.join(request({ token: "a.b.c" }))).rejects.toMatchObject({
        code: "DAILY_JOIN_REFUSED",
        message: expect.stringContaining(`${type}: because we say so`),
      });
      expect(lost).toEqual([]);
      await nothingLeft();
    },
  );

  test("a call machine that cannot be loaded is DAILY_BUNDLE_UNREACHABLE, with its address", async () => {
    const { call } = open({ bundleUrl: "http://127.0.0.1:1/static" });
    await expect(call.join(request())).rejects.toMatchObject({
      code: "DAILY_BUNDLE_UNREACHABLE",
      message: expect.stringContaining("http://127.0.0.1:1/static"),
    });
    await nothingLeft();
  });

  test("a call machine that never comes is DAILY_JOIN_TIMEOUT, by our own clock", async () => {
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await until("it listens", () => silent.listening, 1_000);
    const { port } = silent.address() as { port: number };
    const { call } = open({ bundleUrl: `http://127.0.0.1:${port}` });
    await expect(call.join(request({ timeoutMs: 3_000 }))).rejects.toMatchObject({ code: "DAILY_JOIN_TIMEOUT" });
    silent.close();
    silent.closeAllConnections();
    await nothingLeft();
  });

  test("another daily-js than the one that is pinned is DAILY_SDK_MISSING", async () => {
    const { call } = open({ folder: changedPage((script) => `globalThis.Daily.version = () => "0.90.0";\n${script}`) });
    await expect(call.join(request())).rejects.toMatchObject({
      code: "DAILY_SDK_MISSING",
      message: "daily-js is 0.90.0; bots need exactly 0.92.2.",
    });
    await nothingLeft();
  });

  test("the stand-in refuses a daily-js whose private ways it does not know", async () => {
    // The page asks once, and then daily-js tells the call machine.
    const twoFaced = 'let asked = 0;\nglobalThis.Daily.version = () => (asked++ === 0 ? "0.92.2" : "0.90.0");';
    const { call } = open({ folder: changedPage((script) => `${twoFaced}\n${script}`) });
    await expect(call.join(request())).rejects.toMatchObject({
      code: "DAILY_JOIN_REFUSED",
      message: expect.stringContaining("this stand-in speaks to daily-js 0.92.2, not 0.90.0"),
    });
  });

  test("no browser is what the search for it says, and leaves nothing", async () => {
    const { call } = open({ find: () => findChromium("/nowhere/chromium", "") });
    await expect(call.join(request())).rejects.toMatchObject({ code: "DAILY_BROWSER_MISSING" });
    await nothingLeft();
  });

  test.each([
    ["at once", () => true],
    ["when its browser has started", () => browserProcesses().length > 0],
    ["when the call machine is asked for", () => server.loads > 0],
  ])("a call that is closed %s is over, and leaves nothing", async (_, condition) => {
    const { call, told } = open();
    const joining = call.join(request());
    joining.catch(() => undefined);
    await until("it is so far", condition, 10_000);
    const closing = call.close();
    await expect(joining).rejects.toMatchObject({ code: "CALL_ENDED" });
    await closing;
    expect(told).toEqual([]);
    await nothingLeft();
  });

  test("a browser that dies on the way is DAILY_BROWSER_CRASHED", async () => {
    const { call } = open();
    const joining = call.join(request());
    joining.catch(() => undefined);
    await until("the browser is there", () => browserProcesses().length > 0, 10_000);
    process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
    await expect(joining).rejects.toMatchObject({ code: "DAILY_BROWSER_CRASHED" });
    await nothingLeft();
  });
});

describe("in the room", () => {
  test("of others nothing is told before the bot is in, and then all of it", async () => {
    await open().call.join(request({ userName: "Ann" }));
    const { promise, resolve } = Promise.withResolvers<void>();
    letIn = () => promise;
    const { call, told, heardFrames } = open();
    const joining = call.join(request());
    // On the same socket, and later than what would have been told.
    await until("Ann is heard", () => heardFrames() > 0, 10_000);
    expect(told).toEqual([]);
    resolve();
    await joining;
    await until("all is told", () => told.includes("joined-meeting"), 2_000);
    expect(told[0]).toBe("participant-joined");
  });

  test("what is asked keeps nothing once it is answered", async () => {
    const { call } = open();
    await call.join(request());
    const answer = new WeakRef((await call.request("participantCounts")) as object);
    setFlagsFromString("--expose-gc");
    const collect: () => void = runInNewContext("gc");
    const isGone = () => {
      collect();
      return answer.deref() === undefined;
    };
    await until("nobody holds the answer", isGone, 5_000);
  });

  test("a browser that dies is told once, and nothing after it", async () => {
    const { call, lost, told } = open();
    await call.join(request());
    process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
    await until("it is told", () => lost.length > 0, 5_000);
    expect(lost).toMatchObject([{ code: "DAILY_BROWSER_CRASHED" }]);
    await call.close();
    expect(lost).toHaveLength(1);
    expect(told.filter((action) => action === "left-meeting")).toEqual([]);
    await nothingLeft();
  });

  test("a page that dies alone is the same", async () => {
    const { call, lost } = open();
    await call.join(request());
    for (const { pid, args } of browserProcesses()) if (args.includes("--type=renderer")) process.kill(pid, "SIGKILL");
    await until("it is told", () => lost.length > 0, 5_000);
    expect(lost).toMatchObject([{ code: "DAILY_BROWSER_CRASHED" }]);
    await call.close();
    await nothingLeft();
  });

  test("marks come back when what was before them was played, and not at all once it was cleared", async () => {
    const { call, told } = open();
    await call.join(request());
    for (let n = 0; n < 10; n++) call.sendAudio(new Int16Array(480));
    call.markAudio("first");
    const sentAt = performance.now();
    await until("the mark comes", () => told.includes("played first"), 5_000);
    expect(performance.now() - sentAt).toBeGreaterThan(150);
    for (let n = 0; n < 50; n++) call.sendAudio(new Int16Array(480));
    call.markAudio("cleared");
    call.clearAudio();
    call.markAudio("after");
    await until("the mark behind the clear comes", () => told.includes("played after"), 500);
    expect(told).not.toContain("played cleared");
  });

  test("without a MediaStreamTrackProcessor the others are heard by a worklet", async () => {
    const folder = changedPage((script) => `delete globalThis.MediaStreamTrackProcessor;\n${script}`);
    const bot = open({ folder });
    const other = open();
    await bot.call.join(request());
    await other.call.join(request({ userName: "Other" }));
    await until("both hear each other", () => bot.heardFrames() > 20 && other.heardFrames() > 20, 10_000);
  });
});

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A copy of the page whose script is another. */
function changedPage(change: (script: string) => string): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-page-"));
  folders.push(folder);
  cpSync(pageFolder(), folder, { recursive: true });
  const script = join(folder, "page.js");
  // Imports are hoisted, so that what stands before them runs after the modules and before the rest.
  writeFileSync(script, change(readFileSync(script, "utf8")));
  return folder;
}

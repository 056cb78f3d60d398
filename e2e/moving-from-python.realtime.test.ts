import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Bot } from "@pipecat-ts/runner-core";
import { createDailyPlugin } from "@pipecat-ts/runner-daily";
import twilioCaller from "@pipecat-ts/runner-telephony-twilio/caller";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { type FakeCaller, send, startRunner, tone, until } from "@pipecat-ts/runner-testing";
import webrtcCaller from "@pipecat-ts/runner-webrtc/caller";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocketCaller from "@pipecat-ts/runner-websocket/caller";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { apiKey, openDailyApi } from "../packages/runner-daily/src/test/daily-api.ts";
import { createFakeRooms } from "../packages/runner-daily/src/test/fake-rooms.ts";
import { expectEcho } from "./server/callers.ts";

// Runs the bots of docs/moving-from-python.md. The code of all pages is type-checked in apps/docs.

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/moving-from-python.md"), "utf8");
/** The bots by file name. */
const bots = new Map(
  [...page.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)].map(([, name = "", text = ""]) => [name, text]),
);
const folder = realpathSync(mkdtempSync(join(tmpdir(), "runner-moving-")));
afterAll(() => rmSync(folder, { recursive: true }));
symlinkSync(join(root, "apps/echo-bot/node_modules"), join(folder, "node_modules"));
writeFileSync(join(folder, "package.json"), '{"type":"module"}');
for (const [name, text] of bots) writeFileSync(join(folder, name), text);

test("each of the four bots is there in both languages", () => {
  expect([...bots.keys()]).toEqual(["one-transport.ts", "two-transports.ts", "all-transports.ts", "phone-call.ts"]);
  expect(page.match(/```py\n/g)).toHaveLength(bots.size);
});

/** A runner with one of the bots, with simulated callers, and rooms in memory instead of Daily's. */
async function start(file: string, plugins = [webrtc, websocket, twilio]) {
  const { bot } = (await import(pathToFileURL(join(folder, file)).href)) as { readonly bot: Bot };
  const api = await openDailyApi();
  const rooms = createFakeRooms(api);
  const runner = await startRunner({
    bot,
    plugins: [...plugins, createDailyPlugin(() => rooms.client)] as never[],
    pluginOptions: { daily: { apiKey, apiUrl: api.url } },
    callers: [webrtcCaller, websocketCaller, twilioCaller],
  });
  onTestFinished(async () => {
    await runner.close();
    await api[Symbol.asyncDispose]();
  });
  const post = async (path: string, body: object) =>
    (await send(new URL(path, runner.url), { method: "POST", body })).json as Readonly<Record<string, string>>;
  const roomOf = (url = "") => url.split("/").at(-1) ?? "";
  const botIn = async (url: string | undefined) => {
    await until("the bot is in the room", () => rooms.bots(roomOf(url)).length > 0, 10_000);
    return rooms.bots(roomOf(url))[0] ?? expect.fail("no bot");
  };
  return { runner, rooms, post, botIn };
}

type Started = Awaited<ReturnType<typeof start>>;

/** Calls the bot and hears its echo. Speaks until then, because a busy machine may lose the first words. */
async function call({ runner }: Started, transport: string, body?: unknown): Promise<void> {
  const placed = await runner.call(transport, { body });
  const speech = tone(440, { durationMs: 500, sampleRate: 24_000 });
  const timer = setInterval(() => void placed.say(speech), 500);
  await placed.hears({ pitchHz: 440, withinMs: 15_000 }).finally(() => clearInterval(timer));
  await placed.hangUp();
}

/** Joins the room of a new session, and hears the bot. */
async function callInRoom({ rooms, post, botIn }: Started): Promise<FakeCaller> {
  const { dailyRoom, dailyToken } = await post("/start", { createDailyRoom: true, body: { user: "ada" } });
  await botIn(dailyRoom);
  const caller = await rooms.join(String(dailyRoom), String(dailyToken));
  await expectEcho(caller);
  return caller;
}

test("the bot for one transport answers a call from a browser", { timeout: 30_000 }, async () => {
  await call(await start("one-transport.ts"), "webrtc");
});

test("the bot with different settings answers a browser and joins a Daily room", { timeout: 30_000 }, async () => {
  const started = await start("two-transports.ts");
  await call(started, "webrtc");
  const { dailyRoom } = await started.post("/start", { createDailyRoom: true });
  expect((await started.botIn(dailyRoom)).request.userName).toBe("Guide");
  await (await callInRoom(started)).hangUp();
});

test("the bot for all transports answers on each of them, and logs the body", { timeout: 30_000 }, async () => {
  const started = await start("all-transports.ts");
  for (const transport of ["webrtc", "websocket", "twilio"]) await call(started, transport, { user: "ada" });
  await (await callInRoom(started)).hangUp();
  const entries = started.runner.logger.lines.filter(({ message }) => message === "started");
  const users = entries.map(({ fields }) => Object(fields).user);
  // A call from the phone has no body.
  expect(users).toEqual(["ada", "ada", undefined, "ada"]);
});

test("the bot for phone calls through Daily answers the phone", { timeout: 30_000 }, async () => {
  const { runner, rooms, post, botIn } = await start("phone-call.ts");
  const incoming = { From: "+15550001111", To: "+15550002222", callId: "c1", callDomain: "d1" };
  const { dailyRoom } = await post("/daily-dialin-webhook", incoming);
  const { request, listener } = await botIn(dailyRoom);
  expect(request.userName).toBe("Phone bot");
  listener.event({ action: "dialin-ready", sipEndpoint: "sip:room@daily.example" });
  await until(
    "the bot knows that the caller is connected",
    () => JSON.stringify(runner.logger.lines).includes("the caller is connected"),
    5_000,
  );
  const phone = await rooms.join(String(dailyRoom), request.token ?? "", "+15550001111");
  await expectEcho(phone);
  await phone.hangUp();
});

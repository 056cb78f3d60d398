import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import {
  countSettledResources,
  createRecordingLogger,
  excerpt,
  findVoice,
  join,
  measurePitch,
  send,
  settleResources,
  syllables,
  until,
} from "@pipecat-ts/runner-testing";
import { afterAll, describe, expect, onTestFinished, type TestContext, test } from "vitest";
import plugin from "./plugin.ts";
import { account, serverProgram, startLiveKitServer } from "./test/livekit-server.ts";
import { joinRoom, type RtcCaller } from "./test/rtc-caller.ts";
import { countSdkListeners } from "./test/sdk-listeners.ts";
import { createToken } from "./token.ts";
import type { LiveKitTransport } from "./transport.ts";

const shared = serverProgram === undefined ? undefined : await startLiveKitServer();
afterAll(() => shared?.[Symbol.asyncDispose]());
const sharedUrl = shared?.url ?? "";

/** What may take long on a busy machine, in ms. */
const timeoutMs = 15_000;

interface Fixture {
  readonly runner: Runner;
  readonly logger: ReturnType<typeof createRecordingLogger>;
  /** The transports of the bots, oldest first. */
  readonly transports: readonly LiveKitTransport[];
  start(): Promise<{ readonly status: number; readonly reply: Readonly<Record<string, string>> }>;
  call(): Promise<RtcCaller>;
}

/** A runner whose bots play back what they receive. It is closed after the test. */
async function open(
  { onTestFinished }: Pick<TestContext, "onTestFinished">,
  livekit: Readonly<Record<string, unknown>> = {},
  options: Partial<RunnerOptions> = {},
) {
  const logger = createRecordingLogger();
  const transports: LiveKitTransport[] = [];
  const runner = createRunner({
    async bot(args) {
      if (args.transport !== "livekit") return;
      const transport = await createTransport(args, { livekit: () => ({}) });
      transports.push(transport);
      await transport.input.pipeTo(transport.output);
    },
    plugins: [plugin],
    pluginOptions: { livekit: { url: sharedUrl, ...account, ...livekit } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...options,
  });
  await runner.listen();
  onTestFinished(() => runner.close());
  const fixture: Fixture = {
    runner,
    logger,
    transports,
    async start() {
      const answer = await send(new URL("/start", runner.url), { method: "POST", body: { transport: "livekit" } });
      return { status: answer.status, reply: answer.json as Record<string, string> };
    },
    async call() {
      const { reply } = await fixture.start();
      const caller = await joinRoom(reply.url ?? "", reply.token ?? "");
      onTestFinished(() => caller.hangUp());
      return caller;
    },
  };
  return fixture;
}

async function speak(caller: RtcCaller, audio: AudioFrame): Promise<void> {
  const startedAt = performance.now();
  for (let at = 0; at < audio.samples.length; at += 320) {
    caller.sendAudio({ ...audio, samples: audio.samples.subarray(at, at + 320) });
    await sleep(Math.max(0, startedAt + at / 16 - performance.now()));
  }
}

const ended = ({ runner }: Fixture) => until("all sessions end", () => [...runner.sessions].length === 0, timeoutMs);
const endReasons = ({ logger }: Fixture) =>
  logger.lines.filter(({ message }) => message === "session ended").map(({ fields }) => Object(fields).reason);

describe.skipIf(serverProgram === undefined)("on a LiveKit server", () => {
  test("the caller hears its own voice at its pitch, and messages pass both ways", async (context) => {
    const fixture = await open(context);
    const caller = await fixture.call();
    await until("the bot is in the room", () => fixture.transports.length > 0, timeoutMs);
    const [transport] = fixture.transports;
    const received: unknown[][] = [];
    transport?.on("appMessage", (...args) => void received.push(args));
    await speak(caller, syllables(220, { durationMs: 4_000, sampleRate: 16_000 }));
    await sleep(500);
    const heard = join(caller.playout.played().map(({ frame }) => frame));
    expect(findVoice(heard)).toBeDefined();
    expect(measurePitch(excerpt(heard, 2_000, 3_500))).toBeCloseTo(220, -1);
    caller.sendMessage({ type: "custom" });
    await until("the message arrives", () => received.length > 0, timeoutMs);
    expect(received).toEqual([[{ type: "custom" }, caller.room.localParticipant?.identity]]);
    await transport?.sendMessage({ text: "Grüße" });
    await transport?.sendMessageTo(caller.room.localParticipant?.identity ?? "", { only: "you" });
    await until("the answers arrive", () => caller.messages.length >= 2, timeoutMs);
    expect(caller.messages.slice(-2)).toEqual([{ text: "Grüße" }, { only: "you" }]);
    caller.sendMessage({ label: "rtvi-ai", type: "client-ready", id: "1", data: { version: "2.2.0" } });
    const isReady = (message: unknown) => Object(message).type === "bot-ready";
    await until("the bot is ready", () => caller.messages.some(isReady), timeoutMs);
    await expect(transport?.sendMessage("x".repeat(70_000))).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  });

  // The next seven tests wait most of the time, one of them 30 s until the SDK gives up.
  test.concurrent("the bot and its room are gone when the caller leaves", async (context) => {
    const fixture = await open(context);
    const caller = await fixture.call();
    const { name = "" } = caller.room;
    await until("the bot is in the room", () => caller.room.remoteParticipants.size === 1, timeoutMs);
    // LiveKit's clients recognize an agent by its kind.
    expect([...caller.room.remoteParticipants.values()].map(({ kind }) => kind)).toEqual([4]);
    await caller.hangUp();
    await ended(fixture);
    expect(endReasons(fixture)).toEqual(["caller-left"]);
    await expect(joinRoom(sharedUrl, callerToken(name, "late"))).rejects.toThrow();
  });

  test.concurrent("a bot waits for its caller for longer than the server keeps other rooms", async (context) => {
    const fixture = await open(context);
    const { reply } = await fixture.start();
    await sleep(4_000);
    const caller = await joinRoom(reply.url ?? "", reply.token ?? "");
    await until("the bot is in the room", () => caller.room.remoteParticipants.size === 1, timeoutMs);
    await caller.hangUp();
    await ended(fixture);
    expect(endReasons(fixture)).toEqual(["caller-left"]);
  });

  test.concurrent("in a shared room, a bot waits for its caller after the caller of another session left", async (context) => {
    const fixture = await open(context, { roomName: "lobby" });
    const first = await fixture.call();
    const { reply } = await fixture.start();
    await until("both bots are in the room", () => first.room.remoteParticipants.size === 2, timeoutMs);
    await first.hangUp();
    await sleep(4_000);
    expect(fixture.runner.sessions.counts.active).toBe(1);
    const second = await joinRoom(reply.url ?? "", reply.token ?? "");
    await until("the bot is in the room", () => second.room.remoteParticipants.size === 1, timeoutMs);
    await second.hangUp();
    await ended(fixture);
    expect(endReasons(fixture)).toEqual(["caller-left", "caller-left"]);
  });

  test.concurrent("a caller who joins again with its token stays in the call", async (context) => {
    const fixture = await open(context);
    const { reply } = await fixture.start();
    const first = await joinRoom(reply.url ?? "", reply.token ?? "");
    await until("the bot is in the room", () => first.room.remoteParticipants.size === 1, timeoutMs);
    const second = await joinRoom(reply.url ?? "", reply.token ?? "");
    await first.closed;
    await sleep(1_500);
    expect(fixture.runner.sessions.counts.active).toBe(1);
    await second.hangUp();
    await ended(fixture);
    expect(endReasons(fixture)).toEqual(["caller-left"]);
  });

  test.concurrent("a participant with the bot's token ends the session with a reason", async (context) => {
    let botToken = "";
    const errors: Error[] = [];
    const fixture = await open(
      context,
      {},
      {
        async bot(args) {
          if (args.transport !== "livekit") return;
          botToken = args.token;
          const transport = await createTransport(args, { livekit: () => ({}) });
          transport.on("error", (error) => void errors.push(error));
          await transport.closed;
        },
      },
    );
    const caller = await fixture.call();
    await until("the bot is in the room", () => caller.room.remoteParticipants.size === 1, timeoutMs);
    // Its room is deleted at once.
    const intruder = await joinRoom(sharedUrl, botToken).catch(() => undefined);
    await ended(fixture);
    await intruder?.hangUp();
    expect(endReasons(fixture)).toEqual(["transport-failed"]);
    expect(errors).toEqual([
      expect.objectContaining({ code: "LIVEKIT_CALL_LOST", message: expect.stringContaining("DUPLICATE_IDENTITY") }),
    ]);
    expect(JSON.stringify(fixture.logger.lines)).not.toContain(botToken);
  });

  test.concurrent("killing the server ends the session with a reason", async (context) => {
    await using server = await startLiveKitServer();
    const fixture = await open(context, { url: server.url });
    const caller = await fixture.call();
    await until("the bot is in the room", () => caller.room.remoteParticipants.size === 1, timeoutMs);
    const errors: { code: string }[] = [];
    fixture.transports[0]?.on("error", (error) => void errors.push(error as unknown as { code: string }));
    await server.kill();
    await until("the session ends", () => [...fixture.runner.sessions].length === 0, 50_000);
    expect(endReasons(fixture)).toEqual(["transport-failed"]);
    expect(errors.map(({ code }) => code)).toEqual(["LIVEKIT_CALL_LOST"]);
  }, 90_000);

  test.concurrent("a start request for a full room is rejected", async (context) => {
    const fixture = await open(context, { roomName: "full" });
    await createRoomOfOne("full");
    const first = await joinRoom(sharedUrl, callerToken("full", "first"));
    context.onTestFinished(() => first.hangUp());
    // LiveKit counts participants with a delay of some seconds.
    const detail = expect.stringMatching(/^The caller could not join: the room in LIVEKIT_ROOM_NAME is full\. Raise /);
    const rejected = { status: 503, reply: { code: "LIVEKIT_ROOM_FULL", detail } };
    await context.expect.poll(fixture.start, { timeout: timeoutMs, interval: 500 }).toMatchObject(rejected);
  });

  test.each([
    ["key", { apiKey: "another-key" }],
    ["secret", { apiSecret: "another-secret-of-32-characters-" }],
  ])("a start request with a wrong %s is rejected", async (_what, wrong) => {
    const fixture = await open({ onTestFinished }, wrong);
    expect(await fixture.start()).toMatchObject({ status: 502, reply: { code: "LIVEKIT_REFUSED" } });
  });

  test("4 sessions at once leave nothing behind", async (context) => {
    const fixture = await open(context);
    const rooms: string[] = [];
    async function call(): Promise<void> {
      const caller = await fixture.call();
      await until("the bot is in the room", () => caller.room.remoteParticipants.size === 1, timeoutMs);
      rooms.push(caller.room.name ?? "");
      await caller.hangUp();
    }
    await call();
    await ended(fixture);
    const [before, listeners] = [await countSettledResources(), countSdkListeners()];
    await Promise.all(Array.from({ length: 4 }, call));
    await ended(fixture);
    expect(endReasons(fixture)).toEqual(Array.from({ length: 5 }, () => "caller-left"));
    // Its connections to LiveKit would stay open for some seconds.
    await fixture.runner.close();
    expect(await settleResources(before, timeoutMs)).toEqual([]);
    await expect.poll(countSdkListeners, { timeout: timeoutMs }).toBeLessThanOrEqual(listeners);
    const findRooms = () => Promise.all(rooms.map((name) => shared?.rooms.findRoom(name)));
    await expect.poll(async () => (await findRooms()).filter((room) => room !== undefined)).toEqual([]);
  });

  test("a room that is deleted during the call leaves no listener of the SDK behind", async (context) => {
    const before = countSdkListeners();
    const fixture = await open(context);
    const caller = await fixture.call();
    await until("the bot is in the room", () => caller.room.remoteParticipants.size === 1, timeoutMs);
    await shared?.rooms.deleteRoom(caller.room.name ?? "");
    await ended(fixture);
    await caller.hangUp();
    await expect.poll(countSdkListeners).toBeLessThanOrEqual(before);
  });
});

function callerToken(room: string, identity: string): string {
  const key = { key: account.apiKey, secret: account.apiSecret };
  return createToken(key, { identity, video: { room, roomJoin: true } }, 60_000);
}

/** Creates a room that admits one participant. */
async function createRoomOfOne(name: string): Promise<void> {
  const key = { key: account.apiKey, secret: account.apiSecret };
  const response = await fetch(`${sharedUrl.replace("ws", "http")}/twirp/livekit.RoomService/CreateRoom`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${createToken(key, { video: { roomCreate: true } }, 60_000)}`,
      "content-type": "application/json",
      connection: "close",
    },
    body: JSON.stringify({ name, max_participants: 1 }),
  });
  expect(response.status).toBe(200);
}

import { createTransport, type Transport } from "@pipecat-ts/runner-core";
import { speak } from "@pipecat-ts/runner-core/caller";
import { createRunner, type RunnerOptions } from "@pipecat-ts/runner-host";
import {
  countSettledResources,
  createRecordingLogger,
  send,
  settleResources,
  tone,
  until,
} from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { toneMs } from "../../runner-testing/src/speech.ts";
import { connectCaller } from "./caller.ts";
import plugin from "./plugin.ts";

const secret = "a-secret-of-22-letters";

/** A runner whose bots play back what they receive, and return after `staying`; and a caller that may resume with `query`. */
async function open(options: Partial<RunnerOptions> = {}, query = `?resume=${secret}`, staying?: Promise<void>) {
  const logger = createRecordingLogger();
  const transports: Transport[] = [];
  const left: string[] = [];
  const runner = createRunner({
    async bot(args) {
      const transport = await createTransport(args, { websocket: () => ({}) });
      transports.push(transport);
      transport.on("clientDisconnected", (reason) => void left.push(reason));
      await transport.input.pipeTo(transport.output);
      await staying;
    },
    plugins: [plugin],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    ...options,
  });
  await runner.listen();
  onTestFinished(() => runner.close());
  const { json } = await send(new URL("/start", runner.url), { method: "POST", body: { transport: "websocket" } });
  const url = `${(json as { readonly wsUrl: string }).wsUrl}`;
  const connect = async (own = query) => {
    const caller = await connectCaller(url + own);
    onTestFinished(() => caller.drop());
    return caller;
  };
  const caller = await connect();
  const isRejected = () => caller.socket.readyState !== caller.socket.OPEN;
  await until("the bot runs", () => transports.length === 1 || isRejected(), 5_000);
  const logged = (text: string) => logger.lines.some(({ message }) => message === text);
  const ended = async () => {
    await until("the session ends", () => [...runner.sessions].length === 0, 5_000);
    const line = logger.lines.find(({ message }) => message === "session ended");
    return Object(line?.fields).reason;
  };
  return { runner, caller, connect, transports, left, logged, ended };
}

/** Waits for 120 ms of a tone of `hz`. */
const hears = (caller: Awaited<ReturnType<typeof connectCaller>>, hz = 440) =>
  until("the caller hears the bot", () => toneMs(caller.playout.played(), hz, hz === 440 ? 880 : 440) >= 120, 5_000);
const sound = tone(440, { durationMs: 200 });
const otherSound = tone(880, { durationMs: 200 });

test.each([{}, { webSocketAuth: "token" as const }])(
  "a caller that lost its connection returns to the same bot, with %j: audio continues, and waiting messages arrive",
  async (options) => {
    const { caller, connect, transports, left, logged, ended } = await open(options);
    await speak(caller, sound);
    await hears(caller);
    caller.drop();
    await until("the loss is noticed", () => logged("caller lost its connection"), 5_000);
    await expect(transports[0]?.sendMessage("x".repeat(1024 * 1024))).rejects.toMatchObject({
      code: "MESSAGE_TOO_LARGE",
    });
    const waiting = transports[0]?.sendMessage({ text: "meanwhile" });
    const second = await connect();
    await waiting;
    await until("the message arrives", () => second.messages.length === 1, 5_000);
    expect(second.messages).toEqual([{ text: "meanwhile" }]);
    await speak(second, otherSound);
    await hears(second, 880);
    expect([transports.length, left]).toEqual([1, []]);
    await second.hangUp();
    expect(await ended()).toBe("caller-left");
    expect(left).toEqual(["caller-left"]);
  },
);

test("audio that the bot plays while the caller is away does not count as played", async () => {
  const { caller, connect, transports, logged, ended } = await open();
  const [transport] = transports;
  const speech = transport?.speak();
  speech?.text("One two three four five six seven eight nine ten.");
  void speech?.write(tone(440, { durationMs: 3_000 }));
  await hears(caller);
  caller.drop();
  await until("the loss is noticed", () => logged("caller lost its connection"), 5_000);
  const lost = { playedMs: speech?.playedMs ?? 0, heardText: speech?.heardText };
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  // What was on its way when the loss was noticed still plays.
  expect(speech?.playedMs).toBeLessThan(lost.playedMs + 100);
  expect(speech?.heardText.length).toBeLessThan(15);
  const second = await connect();
  await hears(second);
  const end = await speech?.end();
  expect(end?.playedMs).toBeGreaterThan(lost.playedMs + 500);
  expect(end?.playedMs).toBeLessThan(2_200);
  expect(end?.heardText).toBe("One two three four five six seven eight nine ten.");
  await second.hangUp();
  expect(await ended()).toBe("caller-left");
});

test("a caller may return before its loss is noticed, and the lost connection is closed", async () => {
  const { caller, connect, transports } = await open();
  const second = await connect();
  expect(await caller.closed).toMatchObject({ code: 1006 });
  await speak(second, sound);
  await hears(second);
  expect(transports).toHaveLength(1);
});

test.each([
  ["", { status: 409, code: "SESSION_NOT_PENDING" }],
  ["?resume=another-secret-of-letters", { status: 409, code: "SESSION_NOT_PENDING" }],
])(
  "without the secret, %j gets the refusal of a second caller, with and without a connection",
  async (query, refusal) => {
    const { caller, connect, logged } = await open();
    await expect(connect(query)).rejects.toMatchObject(refusal);
    caller.drop();
    await until("the loss is noticed", () => logged("caller lost its connection"), 5_000);
    await expect(connect(query)).rejects.toMatchObject(refusal);
    await connect();
  },
);

test.each(["", "?resume=another-secret-of-letters"])("a used token with %j does not open a socket", async (query) => {
  const { caller, connect, logged } = await open({ webSocketAuth: "token" });
  caller.drop();
  await until("the loss is noticed", () => logged("caller lost its connection"), 5_000);
  await expect(connect(query)).rejects.toMatchObject({ code: "TOKEN_INVALID" });
});

test("a caller without a secret, or that hangs up, has left at once", async () => {
  const plain = await open({}, "");
  plain.caller.drop();
  expect(await plain.ended()).toBe("caller-left");
  const { caller, ended, connect } = await open();
  await caller.hangUp();
  expect(await ended()).toBe("caller-left");
  await expect(connect()).rejects.toMatchObject({ code: "SESSION_UNKNOWN" });
});

test("a secret that could be guessed is rejected", async () => {
  const { caller, transports } = await open({}, "?resume=1234");
  expect(await caller.closed).toEqual({ code: 1008, reason: "REQUEST_INVALID" });
  expect(transports).toEqual([]);
});

test("a caller that lost its connection cannot return after the bot has closed the call, while the bot still runs", async () => {
  const staying = Promise.withResolvers<void>();
  const { caller, connect, transports, logged, ended } = await open({}, undefined, staying.promise);
  caller.drop();
  await until("the loss is noticed", () => logged("caller lost its connection"), 5_000);
  await transports[0]?.close();
  await expect(connect()).rejects.toMatchObject({ status: 409, code: "SESSION_NOT_PENDING" });
  staying.resolve();
  expect(await ended()).toBe("bot-finished");
});

test("a call on the bare path, whose caller cannot resume, ends with its connection", async () => {
  const { caller, runner, ended } = await open();
  const bare = await connectCaller(new URL(`/ws-client?resume=${secret}`, runner.url.href.replace("http", "ws")));
  await until("its bot runs", () => runner.sessions.counts.active === 2, 5_000);
  bare.drop();
  await until("its session ends", () => runner.sessions.counts.active === 1, 5_000);
  await caller.hangUp();
  expect(await ended()).toBe("caller-left");
});

test("a runner that closes while a caller is gone leaves nothing behind", async () => {
  const before = await countSettledResources();
  const { caller, runner, transports, logged } = await open();
  caller.drop();
  await until("the loss is noticed", () => logged("caller lost its connection"), 5_000);
  const waiting = expect(transports[0]?.sendMessage({ text: "lost" })).rejects.toMatchObject({ code: "CALL_ENDED" });
  await runner.close();
  await waiting;
  expect(await settleResources(before, 5_000)).toEqual([]);
});

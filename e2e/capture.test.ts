import { createHmac } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durationMs, tone } from "@pipecat-ts/audio";
import { createCapture } from "@pipecat-ts/runner-capture";
import { type Bot, createTransport, type SessionArguments } from "@pipecat-ts/runner-core";
import { requestStart } from "@pipecat-ts/runner-core/caller";
import { createRunner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { createRecordingLogger, readCapture, replay, until } from "@pipecat-ts/runner-testing";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { expect, onTestFinished, test } from "vitest";
import { connectCaller } from "../packages/runner-websocket/src/caller.ts";

const apiKey = "a-key-that-nobody-may-read";
const authToken = "0123456789abcdef0123456789abcdef";
const account = { accountSid: `AC${"0".repeat(32)}`, authToken };
const publicUrl = "https://bot.example.com";

/** Plays back the caller's audio until the caller presses #. */
const echo: Bot = async (args) => {
  const transport = await createTransport(args, { twilio: () => ({}), websocket: () => ({}) });
  transport.on("dtmf", (key) => key === "#" && void transport.close());
  await transport.input.pipeTo(transport.output);
  await transport.closed;
};

/** A runner that captures its calls. `file` resolves with the only capture, when the runner is closed. */
async function startCapturing(options: Partial<RunnerOptions>, media = false) {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-capture-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const logger = createRecordingLogger();
  const wire = createCapture({ folder, media, logger, secrets: [apiKey, authToken] });
  const plugins = [twilio, websocket] as never[];
  const runner = createRunner({
    bot: echo,
    plugins,
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
    wire,
    ...options,
  });
  await runner.listen();
  async function file(): Promise<string> {
    await runner.close();
    const names = readdirSync(folder);
    expect(names).toHaveLength(1);
    return join(folder, names[0] ?? "");
  }
  return { runner, file };
}

async function captureTwilioCall(media = false): Promise<string> {
  const { runner, file } = await startCapturing(
    { apiKey, publicUrl, webSocketAuth: "token", pluginOptions: { twilio: { ...account } } },
    media,
  );
  const phone = await createFakeTwilio(account).call({
    at: runner.url,
    publicUrl: new URL(publicUrl),
    from: "+4917012345678",
  });
  for (const key of "123") phone.press(key);
  for (let count = 0; count < 5; count++) phone.sendAudio(tone(440, { durationMs: 20, sampleRate: 8_000 }));
  phone.press("4");
  await phone.hangUp();
  return await file();
}

test("a captured Twilio call replayed 100 times produces identical bot events", async () => {
  const file = await captureTwilioCall();
  const results = [];
  for (let count = 0; count < 100; count++) results.push(await replay(file, { bot: echo, plugins: [twilio as never] }));
  const [first] = results;
  expect(first?.events).toMatchObject([
    { type: "started", transport: "twilio", callData: { from: expect.stringMatching(/^\+1555010\d+$/) } },
    { type: "connected" },
    ...[..."1234"].map((key) => ({ type: "key", key })),
    { type: "disconnected", reason: "caller-left" },
    { type: "ended", reason: "caller-left" },
  ]);
  for (const result of results) expect(result).toEqual(first);
});

test("the replay of an outbound call calls nobody", async () => {
  const file = await captureTwilioCall();
  const [header = "", first = "", ...rest] = readFileSync(file, "utf8").split("\n");
  const body = JSON.stringify({ transport: "twilio", dial: { to: "+15550100", from: "+15550199" } });
  const start = {
    t: 0,
    type: "http",
    method: "POST",
    url: "/start",
    contentType: "application/json",
    body,
    status: 200,
  };
  const lines = rest.filter((line) => !line.includes('"url":"/twilio"'));
  writeFileSync(file, [header, first, JSON.stringify({ ...start, durationMs: 0 }), ...lines].join("\n"));
  const { events } = await replay(file, { bot: echo, plugins: [twilio as never] });
  expect(events.filter(({ type }) => type === "key")).toHaveLength(4);
});

test("the capture of an outbound call has the carrier's reports, and its replay has the same events", async () => {
  const callId = `CA${"1".repeat(32)}`;
  const requests: URLSearchParams[] = [];
  const api = createServer(async (request, response) => {
    requests.push(new URLSearchParams(Buffer.concat(await request.toArray()).toString()));
    response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify({ sid: callId }));
  }).listen(0, "127.0.0.1");
  await once(api, "listening");
  onTestFinished(() => void api.close());
  const apiUrl = `http://127.0.0.1:${Object(api.address()).port}`;
  const pluginOptions = { twilio: { ...account, apiUrl, allowDial: ["+1555"] } };
  let callData: object = {};
  const bot: Bot = async (args) => {
    callData = (args as SessionArguments).callData ?? {};
    await echo(args);
  };
  const { runner, file } = await startCapturing({ apiKey, publicUrl, pluginOptions, bot });
  const answered = await fetch(new URL("/start", runner.url), {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${apiKey}`, connection: "close" },
    body: JSON.stringify({ transport: "twilio", dial: { to: "+15550100", from: "+15550199" } }),
  });
  expect(answered.status).toBe(200);
  const [answerUrl, statusUrl] = [requests[0]?.get("Url") ?? "", requests[0]?.get("StatusCallback") ?? ""];
  const report = async (status: string) => {
    const fields = { AccountSid: account.accountSid, CallSid: callId, CallStatus: status };
    const signed = statusUrl + Object.entries(fields).flat().join("");
    const response = await fetch(new URL(new URL(statusUrl).pathname, runner.url), {
      method: "POST",
      headers: {
        "x-twilio-signature": createHmac("sha1", authToken).update(signed).digest("base64"),
        connection: "close",
      },
      body: new URLSearchParams(fields),
    });
    expect(response.status).toBe(200);
  };
  await report("ringing");
  const at = { at: runner.url, publicUrl: new URL(publicUrl), callId };
  const phone = await createFakeTwilio(account).call({ ...at, path: new URL(answerUrl).pathname });
  await report("in-progress");
  phone.press("7");
  await phone.hangUp();
  const captured = await file();
  const { events } = await readCapture(captured);
  const reports = events.flatMap((event) => (event.type === "http" && event.url.includes("/status/") ? [event] : []));
  expect(reports.map(({ body }) => /CallStatus=([a-z-]+)/.exec(body ?? "")?.[1])).toEqual(["ringing", "in-progress"]);
  const text = readFileSync(captured, "utf8");
  for (const url of [answerUrl, statusUrl]) expect(text).not.toContain(url.split(".").at(-1));
  for (const number of ["15550100", "15550199"]) expect(text).not.toContain(number);
  const replayed = await replay(captured, { bot: echo, plugins: [twilio as never] });
  expect(replayed.events.filter(({ type }) => type === "key")).toMatchObject([{ key: "7" }]);
  const [body] = events.flatMap((event) => (event.type === "http" && event.url === "/start" ? [event.body] : []));
  const { from, to } = JSON.parse(body ?? "").dial;
  const [started] = replayed.events;
  expect(started).toMatchObject({ callData: { callId, from, to, direction: "outbound" } });
  expect(Object.keys(Object(started).callData).sort()).toEqual(Object.keys(callData).sort());
  expect(requests.filter((fields) => fields.has("To"))).toHaveLength(1);
});

test.each([false, true])(
  "a capture has neither secrets nor phone numbers, and media only on request (%s)",
  async (media) => {
    const file = await captureTwilioCall(media);
    const text = readFileSync(file, "utf8");
    for (const secret of [apiKey, authToken, "4917012345678", "15550199"]) expect(text).not.toContain(secret);
    // The token of the socket's URL, in the reply and in the upgrade request.
    expect(text).not.toMatch(/\.\d{10}\./);
    expect(text.match(/\\"event\\":\\"media\\"/g)?.length ?? 0).toBe(media ? 5 : 0);
    expect(text.match(/"mediaBytes":/g)?.length ?? 0).toBe(media ? 0 : 5);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { events } = await replay(file, { bot: echo, plugins: [twilio as never] });
    expect(events.filter(({ type }) => type === "key")).toHaveLength(4);
  },
);

test("a capture does not contain the secret of a caller that resumes, and its replay resumes", async () => {
  const { runner, file } = await startCapturing({});
  const { reply } = await requestStart("websocket", { url: runner.url });
  const secret = "Resume-secret_of_30_characters";
  const url = `${String(reply.wsUrl)}?resume=${secret}`;
  const first = await connectCaller(url);
  first.sendMessage({ count: 1, again: secret });
  const second = await connectCaller(url);
  await first.closed;
  second.sendMessage({ count: 2 });
  await second.hangUp();
  const captured = await file();
  const { events } = await readCapture(captured);
  const urls = events.flatMap((event) => (event.type === "open" ? [event.url.split("?")[1]] : []));
  const replacement = `redacted${"-".repeat(secret.length - 8)}`;
  expect(urls).toEqual([`resume=${replacement}`, `resume=${replacement}`]);
  expect(readFileSync(captured, "utf8")).not.toContain(secret);
  const binary = events.flatMap((event) => (event.type === "message" && event.base64 ? [event.base64] : []));
  expect(binary.map((base64) => Buffer.from(base64, "base64").toString()).join("")).not.toContain(secret);
  const result = await replay(captured, { bot: echo, plugins: [websocket as never] });
  expect(result.events.filter(({ type }) => type === "message")).toMatchObject([
    { message: { count: 1 } },
    { message: { count: 2 } },
  ]);
});

test("binary app messages are captured without audio, secrets and numbers, and replayed over the wire", async () => {
  const { runner, file } = await startCapturing({});
  const { sessionId, reply } = await requestStart(
    "websocket",
    { url: runner.url },
    { plan: "gold", pin: { secret: 12345678 } },
  );
  const caller = await connectCaller(String(reply.wsUrl));
  caller.sendMessage({ token: "sesame-open", phone: "+4917012345678" });
  caller.sendAudio(tone(440, { durationMs: 20 }));
  caller.sendMessage({ count: 2 });
  await until("the bot has both", () => runner.sessions.find(sessionId)?.state === "active", 5_000);
  await caller.hangUp();
  const captured = await file();
  const { events } = await readCapture(captured);
  const sent = events.flatMap((event) => (event.type === "message" && event.from === "caller" ? [event] : []));
  expect(sent.map(({ base64, mediaBytes }) => [base64 !== undefined, mediaBytes !== undefined])).toEqual([
    [true, false],
    [false, true],
    [true, false],
  ]);
  const text = sent.map(({ base64 = "" }) => Buffer.from(base64, "base64").toString()).join("");
  expect(text).not.toMatch(/sesame-open|4917012345678/);
  const result = await replay(captured, { bot: echo, plugins: [websocket as never] });
  expect(result.events).toMatchObject([
    { type: "started", transport: "websocket", body: { plan: "gold", pin: { secret: 11111111 } } },
    { type: "connected" },
    { type: "message", message: { token: "redacted---", phone: expect.stringMatching(/^\+1555010\d{6}$/) } },
    { type: "message", message: { count: 2 } },
    { type: "disconnected", reason: "caller-left" },
    { type: "ended", reason: "caller-left" },
  ]);
});

test("the wrong transport is rejected with its name", async () => {
  const file = await captureTwilioCall();
  await expect(replay(file, { bot: echo, plugins: [websocket as never] })).rejects.toMatchObject({
    code: "TRANSPORT_UNAVAILABLE",
    message: expect.stringContaining('"twilio"'),
  });
});

test("a call on a socket that names no session is captured from its first message, and its end by the bot is replayed", async () => {
  const { runner, file } = await startCapturing({});
  const socketUrl = new URL("/ws", runner.url).href.replace("http", "ws");
  const phone = await createFakeTwilio({ ...account, authToken: undefined }).call({ at: runner.url, socketUrl });
  phone.press("7");
  phone.press("#");
  expect(await phone.closed).toMatchObject({ code: 1000 });
  const captured = await file();
  const { events: wire } = await readCapture(captured);
  expect(wire.map(({ type }) => type).slice(0, 4)).toEqual(["state", "open", "message", "message"]);
  expect(wire.find(({ type }) => type === "close")).toMatchObject({ by: "bot", code: 1000 });
  const { events, notes } = await replay(captured, { bot: echo, plugins: [twilio as never] });
  expect(events.slice(2)).toEqual([
    { type: "key", key: "7" },
    { type: "key", key: "#" },
    { type: "ended", reason: "bot-finished" },
  ]);
  expect(notes).toEqual([]);
});

test("with audio, the bot hears all of it at full speed", async () => {
  const { runner, file } = await startCapturing({}, true);
  const { sessionId, reply } = await requestStart("websocket", { url: runner.url });
  const caller = await connectCaller(String(reply.wsUrl));
  for (let count = 0; count < 200; count++) caller.sendAudio(tone(440, { durationMs: 20 }));
  await until("the bot runs", () => runner.sessions.find(sessionId)?.state === "active", 5_000);
  await caller.hangUp();
  let heardMs = 0;
  const listener: Bot = async (args) => {
    const transport = await createTransport(args, { websocket: () => ({}) });
    for await (const frame of transport.input) heardMs += durationMs(frame);
  };
  await replay(await file(), { bot: listener, plugins: [websocket as never] });
  expect(heardMs).toBe(4_000);
});

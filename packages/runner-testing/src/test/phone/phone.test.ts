import { once } from "node:events";
import type { SessionArguments } from "@pipecat-ts/runner-core";
import { send } from "@pipecat-ts/runner-core/caller";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { until } from "../../assertions.ts";
import { connectBot } from "../../bots.ts";
import { createRecordingLogger } from "../../log.ts";
import { acmeFarEnd, bellFarEnd, callPhone, tokenOf } from "./caller.ts";
import { acme, bell } from "./dialect.ts";
import { createPhonePlugin, sign } from "./plugin.ts";

const numbers = { from: "+15550100", to: "+15550199" };
let runner: Runner;
let calls: SessionArguments[];

beforeEach(async () => {
  calls = [];
  runner = await listen();
});
afterEach(async () => await runner.close());

async function listen(transport?: string, more: Partial<RunnerOptions> = {}): Promise<Runner> {
  const made = createRunner({
    async bot(args) {
      calls.push(args);
      await (await connectBot(args)).closed;
    },
    plugins: [acme, bell].map(createPhonePlugin),
    pluginOptions: { acme: { token: tokenOf(acme) }, bell: { token: tokenOf(bell) } },
    ...(transport ? { transport } : {}),
    host: "127.0.0.1",
    port: 0,
    logger: createRecordingLogger(),
    env: {},
    ...more,
  });
  await made.listen();
  return made;
}

async function start(transport: string, body: unknown): Promise<string> {
  const answer = await send(new URL("/start", runner.url), { method: "POST", body: { transport, body } });
  return (answer.json as { readonly wsUrl: string }).wsUrl;
}

async function dial(url: string | URL, ...messages: readonly (object | string)[]): Promise<WebSocket> {
  const socket = new WebSocket(url);
  await once(socket, "open");
  for (const message of messages) socket.send(typeof message === "string" ? message : JSON.stringify(message));
  return socket;
}

function lineUrl(path: string): URL {
  return Object.assign(new URL(path, runner.url), { protocol: "ws:" });
}

const announced = (callId: string) => acmeFarEnd.announce({ callId, streamId: `stream of ${callId}`, ...numbers });

describe("two carriers on one path", () => {
  test("are identified by their first messages", async () => {
    await callPhone(acmeFarEnd, tokenOf(acme), { url: runner.url }, numbers);
    await callPhone(bellFarEnd, tokenOf(bell), { url: runner.url }, numbers);
    await until("both calls arrive", () => calls.length === 2, 5_000);
    expect(calls.map(({ transport }) => transport)).toEqual(["acme", "bell"]);
    for (const { callData } of calls) expect(callData).toMatchObject(numbers);
  });

  test("do not take each other's sessions", async () => {
    const socket = await dial(await start("bell", {}), ...announced("call-1"));
    await once(socket, "close");
    expect(calls).toEqual([]);
    expect(runner.sessions.counts).toEqual({ pending: 1, active: 0 });
  });

  test("serve their path also when the runner is restricted to one of them", async () => {
    await runner.close();
    runner = await listen("bell");
    await callPhone(bellFarEnd, tokenOf(bell), { url: runner.url }, numbers);
    await until("the call arrives", () => calls.length === 1, 5_000);
    const stranger = await dial(lineUrl("/line"), ...announced("call-1"), "{}", "{}", "{}", "{}", "{}");
    const [code] = await once(stranger, "close");
    expect(code).toBe(1008);
    expect(calls).toHaveLength(1);
  });
});

describe("a call", () => {
  test("has the body of the start request, and the carrier's data", async () => {
    await dial(await start("acme", { order: 7 }), ...announced("call-1"));
    await until("the call arrives", () => calls.length === 1, 5_000);
    expect(calls[0]).toMatchObject({ body: { order: 7 }, callData: { callId: "call-1", body: { lane: "1" } } });
  });

  test("without a start request has the carrier's parameters as its body", async () => {
    await dial(lineUrl("/line"), ...announced("call-1"));
    await until("the call arrives", () => calls.length === 1, 5_000);
    expect(calls[0]?.body).toEqual({ lane: "1" });
  });

  test("is accepted once: a second socket for it is closed and leaves no session", async () => {
    await dial(lineUrl("/line"), ...announced("call-1"));
    await until("the call arrives", () => calls.length === 1, 5_000);
    await once(await dial(lineUrl("/line"), ...announced("call-1")), "close");
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("without a start message is closed after five messages", async () => {
    const socket = await dial(lineUrl("/line"), "junk", "[]", "{}", "null", '{"event":"start"}');
    const [code] = await once(socket, "close");
    expect(code).toBe(1008);
    expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  });
});

describe("the webhook", () => {
  const body = new URLSearchParams({ CallSid: "call-1", From: numbers.from, To: numbers.to }).toString();
  const form = { "content-type": "application/x-www-form-urlencoded" };

  test("accepts signed GET and POST requests of its carrier", async () => {
    const signature = { "x-carrier-signature": sign(tokenOf(acme), body) };
    const posted = await send(runner.url, { method: "POST", body, headers: { ...form, ...signature } });
    expect(posted.headers["content-type"]).toContain("application/xml");
    expect(posted.text).toContain(`<Stream url="ws://${runner.url.host}/line/`);
    const got = await send(new URL(`/?${body}`, runner.url), {
      headers: { "x-carrier-signature": sign(tokenOf(acme), `/?${body}`) },
    });
    expect(got.text).toContain("<Stream url=");
  });

  test("gives the carrier a token when sockets require one", async () => {
    const locked = await listen(undefined, { webSocketAuth: "token" });
    const signature = { "x-carrier-signature": sign(tokenOf(acme), body) };
    const { text } = await send(locked.url, { method: "POST", body, headers: { ...form, ...signature } });
    const [, url = ""] = /url="([^"]+)"/.exec(text) ?? [];
    await dial(url);
    const replayed = new WebSocket(url);
    const [, response] = await once(replayed, "unexpected-response");
    expect(response.statusCode).toBe(403);
    await locked.close();
  });

  test("rejects requests without a valid signature", async () => {
    const answer = await send(runner.url, { method: "POST", body, headers: form });
    expect(answer.status).toBe(403);
    expect(answer.json).toMatchObject({ code: "SIGNATURE_INVALID" });
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test("passes a browser's GET / on to the web client", async () => {
    const answer = await send(runner.url);
    expect([302, 307, 404]).toContain(answer.status);
    expect(answer.text).not.toContain("<Stream");
  });
});

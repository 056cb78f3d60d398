import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { PhoneTransport } from "@pipecat-ts/runner-telephony";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { afterEach, describe, expect, test } from "vitest";
import { createFakeExotel } from "./caller.ts";
import plugin from "./plugin.ts";

const account = { apiKey: "a key", apiToken: "a token" };
const basic = `Basic ${Buffer.from("a key:a token").toString("base64")}`;
let runner: Runner;
let bots: PhoneTransport[] = [];
afterEach(async () => await runner.close());

async function open(options: object = {}, more: Partial<RunnerOptions> = {}): Promise<void> {
  bots = [];
  runner = createRunner({
    async bot(args) {
      const transport = (await createTransport(args, { exotel: () => ({}) })) as PhoneTransport;
      bots.push(transport);
      await transport.closed;
    },
    plugins: [plugin],
    pluginOptions: { exotel: { ...options } },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
    ...more,
  });
  await runner.listen();
}

function ask(path: string, init: RequestInit = {}) {
  return fetch(new URL(path, runner.url), { ...init, headers: { connection: "close", ...init.headers } });
}

describe("the applet's URL", () => {
  test("gets the socket URL of a new session with GET", async () => {
    await open();
    const answer = await ask("/exotel?CallSid=C1&CallFrom=15550100&CallTo=15550199");
    expect(answer.headers.get("content-type")).toContain("application/json");
    const { url } = (await answer.json()) as { url: string };
    expect(url).toMatch(new RegExp(`^ws://${runner.url.host}/ws/[0-9a-f-]+$`));
    expect(runner.sessions.counts.pending).toBe(1);
  });

  test("gets the configured sample rate in the socket URL", async () => {
    await open({ sampleRate: 16_000 });
    const { url } = (await (await ask("/exotel?CallSid=C1")).json()) as { url: string };
    expect(url).toMatch(/\?sample-rate=16000$/);
  });

  test("gets a note with POST, which creates no session", async () => {
    await open({}, { transport: "exotel" });
    for (const path of ["/", "/exotel"]) {
      const note = await (await ask(path, { method: "POST" })).json();
      expect(note).toMatchObject({
        error: expect.any(String),
        websocket_url: `ws://${runner.url.host}/ws`,
        note: expect.any(String),
      });
    }
    expect(runner.sessions.counts.pending).toBe(0);
  });

  test("gets 429 at capacity: Exotel has no busy tone", async () => {
    await open({}, { maxSessions: 1 });
    const phone = await createFakeExotel().call({ at: runner.url });
    await expect.poll(() => bots.length).toBe(1);
    expect((await ask("/exotel?CallSid=C2")).status).toBe(429);
    await phone.hangUp();
  });
});

describe("credentials", () => {
  test("are required on the bare socket and on the applet's URL", async () => {
    await open(account);
    await expect(createFakeExotel().call({ at: runner.url })).rejects.toThrow("403");
    await expect(createFakeExotel({ ...account, apiToken: "another" }).call({ at: runner.url })).rejects.toThrow("403");
    expect((await ask("/exotel?CallSid=C1")).status).toBe(403);
    expect((await ask("/exotel?CallSid=C1", { headers: { authorization: basic } })).status).toBe(200);
    const phone = await createFakeExotel(account).call({ at: runner.url });
    await expect.poll(() => bots.length).toBe(1);
    await phone.hangUp();
  });

  test("open the bare socket without a token", async () => {
    await open(account, { webSocketAuth: "token" });
    await expect(createFakeExotel().call({ at: runner.url })).rejects.toThrow("403");
    const phone = await createFakeExotel(account).call({ at: runner.url });
    await expect.poll(() => bots.length).toBe(1);
    await phone.hangUp();
  });

  test("are not required unless both are set", async () => {
    await open({ apiKey: "a key" });
    const phone = await createFakeExotel().call({ at: runner.url });
    await expect.poll(() => bots.length).toBe(1);
    await phone.hangUp();
  });
});

describe("a call", () => {
  test("cannot be transferred, and the error says what to do", async () => {
    await open();
    const phone = await createFakeExotel().call({ at: runner.url });
    await expect.poll(() => bots.length).toBe(1);
    await expect(bots[0]?.transferTo("+15550123")).rejects.toMatchObject({
      code: "TRANSFER_UNSUPPORTED",
      fix: expect.stringContaining("flow"),
    });
    await bots[0]?.hangUp();
    await expect(phone.closed).resolves.toMatchObject({ code: 1000 });
  });

  test("gets DTMF as tones, in messages that Exotel accepts", async () => {
    await open();
    const phone = await createFakeExotel().call({ at: runner.url });
    await expect.poll(() => bots.length).toBe(1);
    await bots[0]?.sendDtmf("12");
    expect(phone.playout.enqueuedMs).toBeGreaterThanOrEqual(400);
    expect(phone.protocolErrors).toEqual([]);
    await phone.hangUp();
  });
});

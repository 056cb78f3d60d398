import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { excerpt, findVoice, measurePitch, parseWav } from "@pipecat-ts/audio";
import { requestStart } from "@pipecat-ts/runner-core/caller";
import { createFakeExotel } from "@pipecat-ts/runner-telephony-exotel/caller";
import { createFakePlivo } from "@pipecat-ts/runner-telephony-plivo/caller";
import { createFakeTelnyx, createTelnyxAccount } from "@pipecat-ts/runner-telephony-telnyx/caller";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import { type FakeCaller, until } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/caller";
import websocket from "@pipecat-ts/runner-websocket/caller";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { send } from "../../packages/runner-core/src/caller/http.ts";
import { clientReady, rtviData, rtviMessage } from "../../packages/runner-core/src/caller/rtvi.ts";
import { expectEcho, voiceHz } from "../server/callers.ts";
import { type Feature, type Runtime, type RuntimeProgram, startProgram } from "./program.ts";

/** Set by `pnpm test:runtimes`: a folder with the packages as they are published, and the programs. */
const { PIPECAT_RUNTIME_PROJECT: project = "", PIPECAT_BUN: bun = "", PIPECAT_DENO: deno = "" } = process.env;
const runtimes: readonly Runtime[] = [
  { name: "Node", path: process.execPath, args: [], lacks: [] },
  { name: "Bun", path: bun, args: [], lacks: ["rejection scope", "watch", "heap limit"] },
  { name: "Deno", path: deno, args: ["run", "--allow-all"], lacks: ["exception scope"] },
];

const isolated = ["--isolation", "process"];
const execute = promisify(execFile);
const command = "node_modules/pipecat-runner/dist/main.js";
const publicUrl = new URL("https://voice.example.com");
const apiKey = "a-key-of-16-letters";
const accounts = {
  twilio: { accountSid: "AC0123", authToken: "Twilio's token" },
  telnyx: createTelnyxAccount("Telnyx's key"),
  plivo: { authId: "MA0123", authToken: "Plivo's token" },
  exotel: { apiKey: "Exotel's key", apiToken: "Exotel's token" },
};
const carriers = {
  twilio: createFakeTwilio(accounts.twilio),
  telnyx: createFakeTelnyx(accounts.telnyx),
  plivo: createFakePlivo(accounts.plivo),
  exotel: createFakeExotel(accounts.exotel, { dynamic: true }),
};
/** Only Twilio's REST API is played, so only its credentials for it are set. */
const secrets = {
  PIPECAT_RUNNER_API_KEY: apiKey,
  PIPECAT_RUNNER_PUBLIC_URL: publicUrl.href,
  TWILIO_ACCOUNT_SID: accounts.twilio.accountSid,
  TWILIO_AUTH_TOKEN: accounts.twilio.authToken,
  TELNYX_PUBLIC_KEY: accounts.telnyx.publicKey,
  PLIVO_AUTH_TOKEN: accounts.plivo.authToken,
  TELNYX_PRIVATE_KEY: accounts.telnyx.privateKey.export({ format: "der", type: "pkcs8" }).toString("base64"),
  EXOTEL_API_KEY: accounts.exotel.apiKey,
  EXOTEL_API_TOKEN: accounts.exotel.apiToken,
};
const apps = { websocket, webrtc };
type Name = keyof typeof apps | keyof typeof carriers;
const names: readonly Name[] = ["websocket", "webrtc", "twilio", "telnyx", "plivo", "exotel"];

/** Calls the runner, with its key. */
async function call(at: URL, name: Name, key: string | undefined = apiKey): Promise<FakeCaller> {
  if (name !== "websocket" && name !== "webrtc") return await carriers[name].call({ at, publicUrl, path: `/${name}` });
  const line = await apps[name].open({});
  const caller = await line.dial({ url: at, publicUrl, key, start: await requestStart(name, { url: at, key }) });
  caller.sendMessage?.(clientReady("a test"));
  return caller;
}

/** The sessions that have ended so far, by id. */
function endings(program: RuntimeProgram): ReadonlyMap<string, string> {
  const lines = program.printed().matchAll(/^\{.*"msg":"session ended.*\}$/gm);
  const parsed = [...lines].map(([line]) => JSON.parse(line) as { readonly session: string; readonly reason: string });
  return new Map(parsed.map(({ session, reason }) => [session, reason]));
}

describe.skipIf(project === "").each(runtimes)("$name", (runtime) => {
  const start = (args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
    startProgram(runtime, project, ["bot.ts", "--port", "0", ...args], { ...secrets, ...env });
  let program: RuntimeProgram;
  let api: Awaited<ReturnType<typeof carriers.twilio.openApi>>;

  beforeAll(async () => {
    copyFileSync(join(import.meta.dirname, "bot.ts"), join(project, "bot.ts"));
    api = await carriers.twilio.openApi();
    program = await start([], { TWILIO_API_URL: api.url });
  });
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]();
    await api?.close();
  });

  test.each(names)("%s: voice has its pitch on both ends, and hanging up ends the session", async (name) => {
    const before = endings(program);
    const caller = await call(program.url, name);
    await expectEcho(caller);
    await caller.hangUp();
    await until("the session has ended", () => endings(program).size > before.size, 10_000);
    const [[session, reason] = ["", ""]] = [...endings(program)].filter(([id]) => !before.has(id));
    expect(reason).toBe("caller-left");
    expect(caller.protocolErrors ?? []).toEqual([]);

    const { samples, sampleRate } = parseWav(readFileSync(join(project, `${session}.wav`)));
    for (const side of [0, 1]) {
      const mono = { samples: samples.filter((_, index) => index % 2 === side), sampleRate, channels: 1 };
      const { fromMs, toMs } = findVoice(mono) ?? { fromMs: 0, toMs: 0 };
      expect(measurePitch(excerpt(mono, fromMs, toMs))).toBeCloseTo(voiceHz, -1);
    }
  });

  test.each(["websocket", "webrtc"] as const)("%s: text passes both ways, and the bot hangs up", async (name) => {
    const caller = await call(program.url, name);
    caller.sendMessage?.(rtviMessage("send-text", { content: "hello" }));
    await expect
      .poll(() => rtviData(caller.messages ?? [], "bot-output"))
      .toMatchObject([{ text: "You wrote: hello" }]);
    caller.sendMessage?.(rtviMessage("send-text", { content: "hang up" }));
    await caller.closed;
    await caller.hangUp();
  });

  test("a key of the phone makes the bot hang up over the carrier's REST API", async () => {
    const caller = await call(program.url, "twilio");
    await expectEcho(caller);
    caller.press?.("0");
    await caller.closed;
    expect(api.requests.map(({ method, body }) => [method, body])).toEqual([["POST", "Status=completed"]]);
  });

  const lacks = (feature: Feature) => runtime.lacks.includes(feature);

  /** Lets one of two calls fail. The other must go on. */
  async function failOne(text: string, reason: string, args: readonly string[] = []): Promise<void> {
    await using own = await start(args);
    const [failing, other] = [await call(own.url, "websocket"), await call(own.url, "websocket")];
    await expectEcho(other);
    failing.sendMessage?.(rtviMessage("send-text", { content: text }));
    await failing.closed;
    await expect.poll(() => [...endings(own).values()]).toEqual([reason]);
    await expectEcho(other);
    await other.hangUp();
  }

  test.each([
    ["fail", "an exception in a listener"],
    ["bound throw", "an exception in a timer with session.bind"],
    ["bound reject", "a rejection in a timer with session.bind"],
  ])("%s: %s ends its own session only", (text) => failOne(text, "bot-failed"));

  test.skipIf(lacks("exception scope"))("an exception in a timer ends its own session only", () =>
    failOne("throw", "bot-failed"),
  );

  test.runIf(lacks("exception scope"))("an exception in a timer stops the runner", async () => {
    await using own = await start();
    const failing = await call(own.url, "websocket");
    failing.sendMessage?.(rtviMessage("send-text", { content: "throw" }));
    await own.prints(/uncaught exception outside every session; the runner stops/);
    expect(await own.exited).toBe(1);
  });

  test("with a worker for each call, an exception in a timer ends its own session only", () =>
    failOne("throw", lacks("exception scope") ? "shutdown" : "bot-failed", [...isolated, "--worker-sessions", "1"]));

  test.skipIf(lacks("rejection scope"))("a rejection that nobody handles ends its own session only", () =>
    failOne("reject", "bot-failed"),
  );

  test.runIf(lacks("rejection scope"))("a rejection that nobody handles is logged, and ends no session", async () => {
    await using own = await start();
    const caller = await call(own.url, "websocket");
    caller.sendMessage?.(rtviMessage("send-text", { content: "reject" }));
    await own.prints(/a fault of this call.*unhandled rejection outside every session/);
    await expectEcho(caller);
    await caller.hangUp();
  });

  const heapLimit = [...isolated, "--worker-sessions", "1", "--worker-memory", "100"];
  test.skipIf(lacks("heap limit"))("--worker-memory ends a worker whose heap is too large", () =>
    failOne("fill", "crashed", heapLimit),
  );

  test.runIf(lacks("heap limit"))("--worker-memory is rejected", async () => {
    await expect(start(heapLimit)).rejects.toThrow("Omit --worker-memory");
  });

  test("the key is required, and bad requests are answered", async () => {
    const { url } = program;
    const ask = async (path: string, options: Parameters<typeof send>[1] = {}) => {
      const { status, json } = await send(new URL(path, url), options);
      return [status, (Object(json) as { readonly code?: unknown }).code];
    };
    const headers = { authorization: `Bearer ${apiKey}` };
    await expect(call(url, "websocket", "another-key-of-16-letters")).rejects.toMatchObject({ code: "KEY_REQUIRED" });
    expect(await ask("/start", { method: "POST" })).toEqual([401, "KEY_REQUIRED"]);
    expect(await ask("/unknown", { headers })).toEqual([404, "NOT_FOUND"]);
    expect(await ask("/sessions/unknown", { headers })).toEqual([404, "SESSION_UNKNOWN"]);
    expect(await ask("/start", { method: "POST", body: "{", headers })).toEqual([400, "BODY_INVALID"]);
    expect(await ask("/twilio", { method: "POST", body: "" })).toEqual([403, "SIGNATURE_INVALID"]);
    expect(await ask("/status", { headers })).toEqual([200, undefined]);
    expect(await ask("/client/")).toEqual([200, undefined]);
    const metrics = await send(new URL("/metrics", url), { headers });
    expect(metrics.text).toContain("pipecat_sessions_ended_total");
  });

  test("SIGTERM drains: the call continues, a new one is rejected, and the process exits with 0", async () => {
    await using own = await start();
    const caller = await call(own.url, "websocket");
    await expectEcho(caller);
    own.kill("SIGTERM");
    await own.prints(/waiting for calls to end/);
    await expect(call(own.url, "websocket")).rejects.toMatchObject({ code: "DRAINING" });
    await expectEcho(caller);
    await caller.hangUp();
    expect(await own.exited).toBe(0);
  });

  test("SIGINT ends calls, and the process exits with 0", async () => {
    await using own = await start();
    const caller = await call(own.url, "websocket");
    own.kill("SIGINT");
    await caller.closed;
    expect(await own.exited).toBe(0);
    expect([...endings(own).values()]).toEqual(["shutdown"]);
  });

  test("--isolation process: calls run in workers, and SIGTERM drains them", async () => {
    await using own = await start(isolated);
    const callers = [await call(own.url, "websocket"), await call(own.url, "webrtc"), await call(own.url, "twilio")];
    await Promise.all(callers.map(expectEcho));
    own.kill("SIGTERM");
    await own.prints(/waiting for calls to end/);
    await Promise.all(callers.map(expectEcho));
    await Promise.all(callers.map((caller) => caller.hangUp()));
    expect(await own.exited).toBe(0);
    expect([...endings(own).values()]).toEqual(["caller-left", "caller-left", "caller-left"]);
  });

  test.skipIf(lacks("watch"))("--watch: new calls run changed code", async () => {
    const folder = mkdtempSync(join(project, "watched-"));
    const file = join(folder, "bot.ts");
    const source = readFileSync(join(import.meta.dirname, "bot.ts"), "utf8");
    writeFileSync(file, source);
    await using own = await startProgram(runtime, folder, ["bot.ts", "--port", "0", "--watch"], secrets);
    writeFileSync(file, source.replace("You wrote", "You typed"));
    await own.prints(/bot reloaded/);
    const caller = await call(own.url, "websocket");
    caller.sendMessage?.(rtviMessage("send-text", { content: "hello" }));
    await expect
      .poll(() => rtviData(caller.messages ?? [], "bot-output"))
      .toMatchObject([{ text: "You typed: hello" }]);
    await caller.hangUp();
  });

  test.runIf(lacks("watch"))("--watch is rejected", async () => {
    await expect(start(["--watch"])).rejects.toThrow("Omit --watch");
  });

  test.each(["websocket", "webrtc", "twilio"])("pipecat-runner call %s hears the bot", async (name) => {
    const target = ["--url", program.url.href, "--api-key", apiKey, "--hang-up", "3s", "--json"];
    const { stdout } = await execute(runtime.path, [...runtime.args, command, "call", name, ...target], {
      cwd: project,
      env: { ...process.env, ...secrets },
    });
    expect(JSON.parse(stdout)).toMatchObject({ answered: 1, failed: 0, calls: [{ levelDb: expect.any(Number) }] });
  });

  test("pipecat-runner bot.ts and doctor", async () => {
    await using own = await startProgram(runtime, project, [command, "bot.ts", "--port", "0"], secrets);
    const caller = await call(own.url, "websocket");
    await expectEcho(caller);
    await caller.hangUp();
    const doctor = [...runtime.args, command, "doctor", "bot.ts", "--port", "0", "-t", "websocket"];
    const { stdout } = await execute(runtime.path, doctor, { cwd: project, env: { ...process.env, NO_COLOR: "1" } });
    expect(stdout).toContain("No check failed.");
    expect(stdout).toContain(runtime.name);
  });
});

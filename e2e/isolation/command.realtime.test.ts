import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import type { FakeCaller } from "@pipecat-ts/runner-testing";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { send } from "../../packages/runner-core/src/caller/http.ts";
import { childrenOf } from "../../packages/runner-gateway/src/test/proc.ts";
import { connectCaller as connectByWebRTC } from "../../packages/runner-webrtc/src/caller.ts";
import { connectCaller as connectByWebSocket } from "../../packages/runner-websocket/src/caller.ts";
import { expectEcho, twilioAccount } from "../server/callers.ts";

const root = dirname(dirname(import.meta.dirname));
/** For the processes' temporary files. */
const temporary = mkdtempSync(join(tmpdir(), "isolation-"));
afterAll(() => rmSync(temporary, { recursive: true }));

/** The example bot in isolated processes, started like a user starts it, in a process group of its own. */
async function startIsolated(more: NodeJS.ProcessEnv = {}) {
  const command = ["packages/runner-cli/src/main.ts", "apps/echo-bot/bot.ts", "--port", "0", "--isolation", "process"];
  const env = {
    ...process.env,
    TMPDIR: temporary,
    TWILIO_ACCOUNT_SID: twilioAccount.accountSid,
    TWILIO_AUTH_TOKEN: twilioAccount.authToken,
    ...more,
  };
  const child = spawn(process.execPath, command, { cwd: root, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const { pid = 0 } = child;
  const workers = new Set<number>();
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
  }
  const exited = exitCode(child);
  onTestFinished(async () => {
    kill(pid, "SIGINT");
    await exited;
    for (const worker of workers) kill(worker, "SIGKILL");
  });
  await expect.poll(() => printed, { timeout: 30_000 }).toMatch(/http:\/\/localhost:\d+(.|\n)*\(--max-sessions\)/);
  expect(socketFolders()).toHaveLength(1);
  const port = Number(/http:\/\/localhost:(\d+)/.exec(printed)?.[1]);
  const url = (path: string) => new URL(path, `http://127.0.0.1:${port}`);

  return {
    pid,
    url,
    exited,
    printed: () => printed,
    /** Its workers so far, by process id. */
    workers(): ReadonlySet<number> {
      if (isAlive(pid)) for (const worker of childrenOf(pid)) workers.add(Number(worker));
      return workers;
    },
    async started(transport: string) {
      const { status, text, json } = await send(url("/start"), { method: "POST", body: { transport } });
      if (status !== 200) throw new Error(`POST /start answered ${status} ${text}`);
      return json as { readonly wsUrl?: string; readonly sessionId?: string };
    },
    async callAll(): Promise<FakeCaller[]> {
      const { wsUrl = "" } = await this.started("websocket");
      const { sessionId } = await this.started("webrtc");
      return [
        leavingAtEnd(await connectByWebSocket(wsUrl)),
        leavingAtEnd(await createFakeTwilio(twilioAccount).call({ at: url("/"), path: "/twilio" })),
        leavingAtEnd(await connectByWebRTC(url(`/sessions/${sessionId}/api/offer`))),
      ];
    },
  };
}

/** The caller, who leaves at the end of the test: one whose server was killed does not learn it at once. */
function leavingAtEnd<Called extends FakeCaller>(caller: Called): Called {
  onTestFinished(() => caller.drop());
  return caller;
}

async function exitCode(child: ChildProcess): Promise<unknown> {
  const [code, signal] = await once(child, "exit");
  return code ?? signal;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function socketFolders(): string[] {
  return readdirSync(temporary).filter((name) => name.startsWith("pipecat-runner-"));
}

test("calls over sockets, phone and WebRTC survive a reload and the death of the gateway, and then leave nothing", async () => {
  const host = await startIsolated();
  const callers = await host.callAll();
  await Promise.all(callers.map(expectEcho));

  const webrtc = leavingAtEnd(await connectByWebRTC(host.url("/api/offer?session_id=my-own-id")));
  const candidates = { method: "PATCH", body: { pc_id: webrtc.pcId, candidates: [] } } as const;
  for (let count = 0; count < 20; count++) {
    expect((await send(host.url("/api/offer"), candidates)).status, "the body names the session").toBe(200);
  }
  expect((await send(host.url("/sessions/my-own-id"))).json).toMatchObject({ state: "active", transport: "webrtc" });
  expect(
    (await send(host.url("/api/offer"), { ...candidates, body: { pc_id: "unknown", candidates: [] } })).status,
  ).toBe(404);
  callers.push(webrtc);
  const resumable = `${(await host.started("websocket")).wsUrl}?resume=a-secret-of-22-letters`;
  const lost = await connectByWebSocket(resumable);

  const old = new Set(host.workers());
  kill(host.pid, "SIGHUP");
  await expect.poll(host.printed, { timeout: 30_000 }).toContain("bot reloaded");
  const { wsUrl = "" } = await host.started("websocket");
  callers.push(await connectByWebSocket(wsUrl));
  lost.drop();
  callers.push(await connectByWebSocket(resumable));
  expect([...host.workers()].some((worker) => !old.has(worker))).toBe(true);
  await Promise.all(callers.map(expectEcho));

  kill(host.pid, "SIGKILL");
  expect(await host.exited).toBe("SIGKILL");
  await Promise.all(callers.map(expectEcho));
  await Promise.all(callers.map((caller) => caller.hangUp()));
  await expect.poll(() => [...host.workers()].filter(isAlive), { timeout: 20_000 }).toEqual([]);
  await expect.poll(socketFolders).toEqual([]);
});

test("a phone call whose process is killed is hung up over the carrier's API by another process", async () => {
  // Twilio's signatures cover it: only calls that Twilio named are hung up.
  const publicUrl = "https://bots.example.com";
  const carrier = createFakeTwilio(twilioAccount);
  const api = await carrier.openApi();
  onTestFinished(api.close);
  const host = await startIsolated({ TWILIO_API_URL: api.url, PIPECAT_RUNNER_PUBLIC_URL: publicUrl });
  const [worker = 0] = host.workers();
  const call = await carrier.call({ at: host.url("/"), path: "/twilio", publicUrl: new URL(publicUrl) });
  await expectEcho(call);
  kill(worker, "SIGKILL");
  await call.closed;
  await expect
    .poll(() => api.requests.map(({ method, body }) => [method, body]))
    .toEqual([["POST", "Status=completed"]]);
  expect(host.printed()).toMatch(/"transport":"twilio","reason":"crashed"/);
});

test("SIGTERM to every process at once lets calls end, and then the command exits with 0", async () => {
  const host = await startIsolated();
  const callers = await host.callAll();
  for (const each of [-host.pid, host.pid, ...host.workers()]) kill(each, "SIGTERM");
  await expect.poll(host.printed).toContain("waiting for calls to end");
  const { status } = await send(host.url("/start"), { method: "POST", body: {} });
  expect(status).toBe(503);
  await Promise.all(callers.map(expectEcho));
  await Promise.all(callers.map((caller) => caller.hangUp()));
  expect(await host.exited).toBe(0);
  expect([...host.workers()].filter(isAlive)).toEqual([]);
  expect(socketFolders()).toEqual([]);
});

test("a second signal ends all processes at once", async () => {
  const host = await startIsolated();
  const [caller] = await host.callAll();
  host.workers();
  kill(host.pid, "SIGTERM");
  await expect.poll(host.printed).toContain("waiting for calls to end");
  kill(-host.pid, "SIGINT");
  await caller?.closed;
  expect(await host.exited).toBe(130);
  expect(socketFolders()).toEqual([]);
  await expect.poll(() => [...host.workers()].filter(isAlive)).toEqual([]);
});

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countSettledResources, settleResources, until, within } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { timeoutMs, useBrowserCalls } from "./test/browser-calls.ts";
import { browserProcesses } from "./test/browser-processes.ts";
import { recordEvents } from "./test/fake-rooms.ts";

const { api, server, start } = await useBrowserCalls();

test("a browser that is killed during a call ends the session with an error", async () => {
  const call = await start();
  const events = recordEvents(call.transport, "error", "clientDisconnected", "left");
  const [session] = call.runner.sessions;
  process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
  expect(await within("the session ends", session?.ended ?? Promise.reject(), timeoutMs)).toBe("transport-failed");
  expect(await call.transport.closed).toBe("transport-failed");
  expect(events).toMatchObject([
    ["error", { code: "DAILY_BROWSER_CRASHED" }],
    ["clientDisconnected", "transport-failed"],
    ["left"],
  ]);
});

test("a room that ends during a call ends the session with an error", async () => {
  const call = await start();
  const events = recordEvents(call.transport, "error", "left");
  server.end(call.room);
  expect(await within("the call ends", call.transport.closed, timeoutMs)).toBe("transport-failed");
  expect(events).toMatchObject([["error", { code: "DAILY_CALL_LOST" }], ["left"]]);
});

test("createTransport rejects when Daily does not admit the bot", async () => {
  api.failNext("POST /meeting-tokens", { status: 200, body: { token: "x.eyJyb29tX25hbWUiOiJvdGhlciJ9.y" } });
  await expect(start()).rejects.toMatchObject({
    code: "DAILY_JOIN_REFUSED",
    message: expect.stringContaining("not-allowed"),
  });
});

test("20 sessions leave no process, temporary folder or open handle, however they end", {
  timeout: 240_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-empty-"));
  vi.stubEnv("TMPDIR", folder);
  await (await start()).runner.close();
  const before = await countSettledResources();
  for (let round = 0; round < 10; round++) {
    const pair = await Promise.all([start(), start()]);
    const [one, other] = pair;
    if (round % 3 === 0) await one?.transport.close();
    else if (round % 3 === 1) process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
    const closing = pair.map(({ runner }) => runner.close());
    await Promise.all(closing);
    expect(readdirSync(folder)).toEqual([]);
    expect(other?.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  }
  await until("no process is left", () => browserProcesses().length === 0, 3_000);
  expect(await settleResources(before, 10_000)).toEqual([]);
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { countSettledResources, settleResources, until, within } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { patienceMs, told, useBrowserCalls } from "./test/browser-calls.ts";
import { browserProcesses } from "./test/browser-remains.ts";

const { api, server, start } = await useBrowserCalls();

test("a browser that is killed in a call is an error, and the session's end", async () => {
  const call = await start();
  const events = told(call.transport, "error", "clientDisconnected", "left");
  const [session] = call.runner.sessions;
  process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
  expect(await within("the session ends", session?.ended ?? Promise.reject(), patienceMs)).toBe("transport-failed");
  expect(await call.transport.closed).toBe("transport-failed");
  expect(events).toMatchObject([
    ["error", { code: "DAILY_BROWSER_CRASHED" }],
    ["clientDisconnected", "transport-failed"],
    ["left"],
  ]);
});

test("a room that ends is an error, and the session's end", async () => {
  const call = await start();
  const events = told(call.transport, "error", "left");
  server.end(call.room);
  expect(await within("the call ends", call.transport.closed, patienceMs)).toBe("transport-failed");
  expect(events).toMatchObject([["error", { code: "DAILY_CALL_LOST" }], ["left"]]);
});

test("a room that the bot is not let into fails createTransport, by code", async () => {
  api.failNext("POST /meeting-tokens", { status: 200, body: { token: "x.eyJyb29tX25hbWUiOiJvdGhlciJ9.y" } });
  await expect(start()).rejects.toMatchObject({
    code: "DAILY_JOIN_REFUSED",
    message: expect.stringContaining("not-allowed"),
  });
});

test("20 sessions leave no process, no temporary folder and nothing open, however they end", {
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

import { mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Bot } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { afterAll, expect, test } from "vitest";
import { connectCaller } from "../packages/runner-websocket/src/caller.ts";
import { expectEcho } from "./server/callers.ts";

// Runs a bot of docs/moving-from-python.md. The code of all pages is type-checked in apps/docs.

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

test("the bot for all transports answers a call", { timeout: 30_000 }, async () => {
  const { bot } = (await import(pathToFileURL(join(folder, "all-transports.ts")).href)) as { readonly bot: Bot };
  const logger = createRecordingLogger();
  const runner = createRunner({ bot, plugins: [websocket], port: 0, env: {}, logger });
  await runner.listen();
  const start = { method: "POST", headers: { "content-type": "application/json" } };
  const body = JSON.stringify({ transport: "websocket", body: { user: "ada" } });
  const { wsUrl } = (await (await fetch(new URL("/start", runner.url), { ...start, body })).json()) as {
    wsUrl: string;
  };
  const caller = await connectCaller(wsUrl);
  await expectEcho(caller);
  await caller.hangUp();
  await runner.close();
  expect(logger.lines).toContainEqual(
    expect.objectContaining({ message: "started", fields: expect.objectContaining({ user: "ada" }) }),
  );
});

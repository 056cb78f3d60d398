/**
 * `pnpm screenshots`: takes the pictures of the web client in a call with the example bot. `docs/client.png` is one of them, and
 * `docs/demo.webp` shows the call in motion. Needs Chromium, and img2webp of Debian's package `webp`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "playwright-core";
import { bot } from "../apps/echo-bot/bot.ts";
import { openCallerPage } from "./browser/caller-page.ts";
import { startBrowser } from "./browser/chromium.ts";
import { openWebClient, type WebClient } from "./browser/web-client.ts";
import buildClient from "./build-client.ts";
import { startRunner } from "./runner.ts";

const docs = join(dirname(import.meta.dirname), "docs");
const frameMs = 500;
const maxBytes = 500_000;

/** What the demo shows, with pauses to read. */
async function call(client: WebClient, page: Page): Promise<void> {
  await sleep(2_000);
  await client.connectToBot();
  await sleep(6_000);
  await client.exchange("Hello! What do you do?");
  await page.screenshot({ path: join(docs, "client.png") });
  await sleep(11_000);
  await client.button("Mute the microphone").click();
  await sleep(8_000);
  await client.disconnect.click();
  await sleep(2_000);
}

/** Takes a picture every `frameMs` until `action` has ended. Returns the files. */
async function record(page: Page, folder: string, action: Promise<void>): Promise<readonly string[]> {
  const files: string[] = [];
  let ended = false;
  const end = action.finally(() => {
    ended = true;
  });
  while (!ended) {
    const path = join(folder, `${String(files.length).padStart(3, "0")}.png`);
    await Promise.all([page.screenshot({ path }), sleep(frameMs)]);
    files.push(path);
  }
  await end;
  return files;
}

await buildClient();
const folder = mkdtempSync(join(tmpdir(), "runner-demo-"));
const { runner, origin } = await startRunner("webrtc", bot);
{
  await using running = await startBrowser(220);
  const caller = await openCallerPage(running.browser, origin);
  await caller.page.setViewportSize({ width: 1200, height: 720 });
  const client = await openWebClient(caller, origin);
  const frames = await record(caller.page, folder, call(client, caller.page));
  const file = join(docs, "demo.webp");
  execFileSync("img2webp", [
    "-loop",
    "0",
    "-lossy",
    "-q",
    "60",
    "-m",
    "6",
    "-d",
    String(frameMs),
    ...frames,
    "-o",
    file,
  ]);
  const { size } = statSync(file);
  console.log(`docs/demo.webp: ${frames.length} frames, ${Math.round(size / 1000)} kB`);
  if (size > maxBytes)
    throw new Error(`The demo has more than ${maxBytes / 1000} kB. Lower its quality or its frame rate.`);
  await caller.close();
}
await runner.close();
rmSync(folder, { recursive: true });

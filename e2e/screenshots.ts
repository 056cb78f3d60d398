/**
 * `pnpm screenshots`: takes the pictures of the web client in a call with the `realtime` bot, whose vendor is simulated.
 * `docs/client.png` is one of them, and `docs/demo.webp` shows the call in motion. Needs Chromium, and img2webp of Debian's package
 * `webp`.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { join as joinAudio, silence, syllables } from "@pipecat-ts/audio";
import { type OpenAIReply, startFakeOpenAI } from "@pipecat-ts/runner-testing/openai";
import type { Page } from "playwright-core";
import { bot } from "../apps/realtime-bot/bot.ts";
import { openCallerPage } from "./browser/caller-page.ts";
import { startBrowser } from "./browser/chromium.ts";
import { openWebClient, type WebClient } from "./browser/web-client.ts";
import buildClient from "./build-client.ts";
import { startRunner } from "./runner.ts";

const docs = join(dirname(import.meta.dirname), "docs");
const frameMs = 500;
const maxBytes = 1_500_000;

/** What the caller says. The second sentence interrupts the bot. */
const callerTexts = ["Do you have a table for two tonight?", "Half past eight, please.", "Anna Berg. Thank you!"];
/** The caller's microphone: what is said after a pause, each in ms, as often as there are texts. */
const callerSpeech = [
  { pauseMs: 6_500, speechMs: 2_000 },
  { pauseMs: 4_600, speechMs: 1_400 },
  { pauseMs: 6_200, speechMs: 1_600 },
] as const;
const botTexts = [
  "Hello, this is Luigi's. What can I do for you?",
  "Yes! We have one at seven by the window, and one at half past eight on the terrace, where musicians play tonight.",
  "Gladly: the terrace at half past eight. Which name may I write down?",
  "Thank you, Anna. See you tonight!",
];
const botMsPerCharacter = 65;
/** The rates of the browser's fake microphone and of OpenAI, in Hz. */
const [microphoneRate, botRate] = [48_000, 24_000];

function callerVoice() {
  const said = callerSpeech.flatMap(({ pauseMs, speechMs }) => [
    silence({ durationMs: pauseMs, sampleRate: microphoneRate }),
    syllables(220, { durationMs: speechMs, sampleRate: microphoneRate }),
  ]);
  return joinAudio([...said, silence({ durationMs: 30_000, sampleRate: microphoneRate })]);
}

function reply(index: number): OpenAIReply {
  const transcript = botTexts[index] ?? "";
  const durationMs = transcript.length * botMsPerCharacter;
  return { speech: syllables(150, { durationMs, sampleRate: botRate }), transcript };
}

/** What the demo shows, with pauses to read. */
async function call(client: WebClient, page: Page): Promise<void> {
  await sleep(1_500);
  await client.connectToBot();
  await page.getByText("See you tonight!").waitFor({ timeout: 40_000 });
  await sleep(3_000);
  await page.screenshot({ path: join(docs, "client.png") });
  await client.disconnect.click();
  await sleep(2_500);
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
let responses = 0;
const openai = await startFakeOpenAI({
  reply: () => reply(responses++),
  transcribe: (index) => callerTexts[index] ?? "",
});
process.env.OPENAI_BASE_URL = openai.env.OPENAI_BASE_URL;
const { runner, origin } = await startRunner("webrtc", bot, { cliArgs: { apiKey: openai.env.OPENAI_API_KEY } });
{
  await using running = await startBrowser(callerVoice());
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
await openai.close();
rmSync(folder, { recursive: true });

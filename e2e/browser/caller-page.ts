import { join } from "node:path";
import { type AudioFrame, decodePcm16 } from "@pipecat-ts/audio";
import type { Browser, Page } from "playwright-core";

/** Audio of a page: mono. */
export interface PageAudio extends AudioFrame {
  /** The time of its last sample, in ms since 1970. */
  readonly endedAtMs: number;
}

/** `played`: what the page plays; `spoken`: what its microphone delivers. */
export type AudioKind = "played" | "spoken";

/** A page that evaluates expressions: one of Playwright, or of `firefox.ts`. */
export interface ScriptedPage {
  goto(url: string): Promise<unknown>;
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until the expression is truthy. */
  waitForFunction(expression: string): Promise<unknown>;
}

/** A page in a browser context of its own, with recorded audio. */
export interface CallerPage {
  readonly page: Page;
  /** Uncaught exceptions, and requests to other hosts than the runner. */
  readonly errors: readonly string[];
  /** Records for `durationMs` from now. */
  listen(kind: AudioKind, durationMs: number): Promise<PageAudio>;
  /** The last `durationMs` since `clearAudio`. Waits until there is as much. */
  last(kind: AudioKind, durationMs: number): Promise<PageAudio>;
  /** Discards what was recorded. */
  clearAudio(): Promise<void>;
  /** The names of the open microphones, without duplicates. */
  openMicrophones(): Promise<readonly string[]>;
  /** Crashes the page's process. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** See `lastAudio` in `page/audio-taps.js`. */
interface RecordedAudio {
  readonly sampleRate: number;
  readonly endedAt: number;
  readonly base64: string;
}

/** The script that daily-js 0.90.0 loads from another host, and its fake. */
export const callMachine = "https://c.daily.co/call-machine/versioned/0.90.0/static/call-machine-object-bundle.js";
export const fakeCallMachine: string = join(import.meta.dirname, "page/device-call-machine.js");

/** Opens an empty page that may send requests to `origin` only. It gets a fake of the script that daily-js loads. */
export async function openCallerPage(browser: Browser, origin: string): Promise<CallerPage> {
  const context = await browser.newContext({ permissions: ["microphone"] });
  const page = await context.newPage();
  const errors: string[] = [];

  const check = (url: string) => {
    if (
      url !== callMachine &&
      !["blob:", "data:"].includes(new URL(url).protocol) &&
      new URL(url).host !== new URL(origin).host
    )
      errors.push(`a request to ${url}`);
  };
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("request", (request) => check(request.url()));
  page.on("websocket", (socket) => check(socket.url()));
  await page.route(callMachine, (route) =>
    route.fulfill({ path: fakeCallMachine, headers: { "access-control-allow-origin": "*" } }),
  );
  await page.addInitScript({ path: join(import.meta.dirname, "page/audio-taps.js") });

  const last: CallerPage["last"] = async (kind, durationMs) => {
    await page.waitForFunction(`audioMs("${kind}") >= ${durationMs}`, undefined, { polling: 50 });
    const audio = await page.evaluate<RecordedAudio>(`lastAudio("${kind}", ${durationMs})`);
    const samples = decodePcm16(Buffer.from(audio.base64, "base64"));
    return { samples, sampleRate: audio.sampleRate, channels: 1, endedAtMs: audio.endedAt };
  };
  return {
    page,
    errors,
    async listen(kind, durationMs) {
      await page.evaluate(`clearAudio("${kind}")`);
      return await last(kind, durationMs);
    },
    last,
    clearAudio: () => page.evaluate(`clearAudio("played"), clearAudio("spoken")`),
    openMicrophones: () => page.evaluate("openMicrophones()"),
    async kill() {
      const crashed = page.waitForEvent("crash");
      const devtools = await context.newCDPSession(page);
      devtools.send("Page.crash").catch(() => undefined); // the crashed page does not answer
      await crashed;
    },
    close: () => context.close(),
  };
}

import { join } from "node:path";
import { type AudioFrame, decodePcm16 } from "@pipecat-ts/audio";
import type { Browser, Page } from "playwright-core";

/** What a page played or took in: mono. */
export interface Sound extends AudioFrame {
  /** When the last of it sounded, in ms since 1970. */
  readonly endedAtMs: number;
}

/** A page in a browser of its own, listened to. */
export interface CallerPage {
  readonly page: Page;
  /** What went wrong in the page: exceptions nobody caught, and requests that left the runner. */
  readonly faults: readonly string[];
  /** Listens for `durationMs` from now, to what the page plays or to what its microphone gives it. */
  listen(kind: "heard" | "spoken", durationMs: number): Promise<Sound>;
  /** The names of the microphones that are open, each once. */
  openMicrophones(): Promise<readonly string[]>;
  /** Kills the page's process, as a crash does. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** What the page hands over: see `page/sound-taps.js`. */
interface TakenSound {
  readonly sampleRate: number;
  readonly endedAt: number;
  readonly base64: string;
}

/** Opens an empty page that may talk to `origin` alone. */
export async function openCallerPage(browser: Browser, origin: string): Promise<CallerPage> {
  const context = await browser.newContext({ permissions: ["microphone"] });
  const page = await context.newPage();
  const faults: string[] = [];

  const allow = (url: string) => {
    if (!["blob:", "data:"].includes(new URL(url).protocol) && new URL(url).host !== new URL(origin).host)
      faults.push(`a request to ${url}`);
  };
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => allow(request.url()));
  page.on("websocket", (socket) => allow(socket.url()));
  await page.addInitScript({ path: join(import.meta.dirname, "page/sound-taps.js") });

  return {
    page,
    faults,
    async listen(kind, durationMs) {
      await page.evaluate(`takeSound("${kind}")`);
      await page.waitForFunction(`soundMs("${kind}") >= ${durationMs}`, undefined, { polling: 50 });
      const sound = await page.evaluate<TakenSound>(`takeSound("${kind}")`);
      const samples = decodePcm16(Buffer.from(sound.base64, "base64"));
      return { samples, sampleRate: sound.sampleRate, channels: 1, endedAtMs: sound.endedAt };
    },
    openMicrophones: () => page.evaluate("openMicrophones()"),
    async kill() {
      const crashed = page.waitForEvent("crash");
      const devtools = await context.newCDPSession(page);
      devtools.send("Page.crash").catch(() => undefined); // nobody is left to answer it
      await crashed;
    },
    close: () => context.close(),
  };
}

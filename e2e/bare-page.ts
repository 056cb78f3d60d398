import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import type { Runner } from "@pipecat-ts/runner-host";
import { build } from "vite";
import { afterAll, beforeAll, expect } from "vitest";
import type { CallerPage } from "./caller-page.ts";
import type { JourneyTransport } from "./running-runner.ts";

/**
 * Call once in a test file: builds a page that knows nothing of ours, with Pipecat's published client in it, into a temporary
 * folder. What it returns lets a runner serve it, by a route of the user's own.
 */
export function useBarePage(): (runner: Runner) => void {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pipecat-page-"));
    await build({
      root: join(import.meta.dirname, "page"),
      base: "./",
      logLevel: "error",
      build: { outDir: folder, emptyOutDir: true, minify: false, rollupOptions: { input: "bare.html" } },
    });
  });
  afterAll(() => rm(folder, { recursive: true }));

  return ({ router }) =>
    router.get("/mine/*path", (ctx) => {
      const path = String(ctx.params.path);
      ctx.type = extname(path);
      ctx.body = createReadStream(join(folder, path));
    });
}

/** The published client in a bare page. */
export interface BarePage {
  /** Starts a session, calls in, and resolves with the bot's `bot-ready`. */
  connectToBot(): Promise<unknown>;
  /** What the client said of events called `name`. */
  events(name: string): Promise<unknown[]>;
  /** Sends a text and waits until the echo bot has answered to it. */
  exchange(text: string): Promise<void>;
  /** Sends a client message; resolves with when, in ms since 1970. */
  sendClientMessage(type: string): Promise<number>;
  /** Fails unless the client is ready, and soon has its data channel open: before that it drops what is written, in silence. */
  expectReady(): Promise<void>;
  /** How a WebRTC call's media are encrypted, as the browser names it. */
  cipher(): Promise<string>;
  /** Mutes the microphone, or opens it again. */
  enableMic(enable: boolean): Promise<void>;
  disconnect(): Promise<void>;
}

/** Opens it at a runner that serves it. */
export async function openBarePage(
  { page }: CallerPage,
  origin: string,
  transport: JourneyTransport,
): Promise<BarePage> {
  await page.goto(`${origin}/mine/bare.html?${transport}`);
  await page.waitForFunction("globalThis.client");
  return {
    connectToBot: () =>
      page.evaluate(`client.startBotAndConnect({ endpoint: "/start", requestData: { transport: "${transport}" } })`),
    events: (name) =>
      page.evaluate(`events.filter(({ event }) => event === "${name}").map(({ data }) => data ?? null)`),
    async exchange(text) {
      await page.evaluate(`client.sendText("${text}")`);
      const answered = `events.some(({ event, data }) => event === "botOutput" && data.text === "You wrote: ${text}")`;
      await page.waitForFunction(answered);
    },
    sendClientMessage: (type) => page.evaluate(`(client.sendClientMessage("${type}"), Date.now())`),
    async expectReady() {
      expect(await page.evaluate("client.state")).toBe("ready");
      if (transport === "webrtc") await page.waitForFunction(`client.transport.dc.readyState === "open"`);
    },
    cipher: () =>
      page.evaluate(
        `client.transport.pc.getStats().then((stats) => [...stats.values()].find(({ type }) => type === "transport").srtpCipher)`,
      ),
    enableMic: (enable) => page.evaluate(`client.enableMic(${enable})`),
    disconnect: () => page.evaluate("client.disconnect()"),
  };
}

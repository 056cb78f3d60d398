import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import type { Runner } from "@pipecat-ts/runner-host";
import { build } from "vite";
import { afterAll, beforeAll, expect } from "vitest";
import type { WebTransport } from "../runner.ts";
import type { ScriptedPage } from "./caller-page.ts";

/**
 * Call once in a test file. Builds a page with a published client and none of our code, by default Pipecat's. Returns a function that
 * adds a route for the page to a runner, like a user's own route.
 */
export function usePublishedClient(page = "published-client.html"): (runner: Runner) => void {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pipecat-page-"));
    await build({
      root: join(import.meta.dirname, "page"),
      base: "./",
      logLevel: "error",
      build: { outDir: folder, emptyOutDir: true, minify: false, rollupOptions: { input: page } },
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

/** A page with the published client. */
export interface PublishedClient {
  /** Starts a session, connects, and resolves with the data of `bot-ready`. */
  connectToBot(): Promise<unknown>;
  /** The data of all events with this name. */
  events(name: string): Promise<unknown[]>;
  /** Sends a text and waits for the echo bot's answer. */
  exchange(text: string): Promise<void>;
  /** Sends a file to the bot: a text that it uploads first, or a `source` of its own. Over WebRTC only. */
  sendFile(text: string, source?: object): Promise<void>;
  /** Sends a client message. Resolves with the time, in ms since 1970. */
  sendClientMessage(type: string): Promise<number>;
  /** Fails unless the client is ready, and waits for its data channel: until it opens, the client drops messages silently. */
  expectReady(): Promise<void>;
  /** The SRTP cipher of a WebRTC call, as the browser names it. */
  cipher(): Promise<string>;
  /** Mutes or unmutes the microphone. */
  enableMic(enable: boolean): Promise<void>;
  enableCam(enable: boolean): Promise<void>;
  enableScreenShare(enable: boolean): Promise<void>;
  disconnect(): Promise<void>;
}

/**
 * Opens the page at a runner that has its route. `mediaManager` is that of WebRTC: the default one loads a script from c.daily.co,
 * which the test's browser fakes.
 */
export async function openPublishedClient(
  { page }: { readonly page: ScriptedPage },
  origin: string,
  transport: WebTransport,
  mediaManager: "offline" | "default" = "offline",
): Promise<PublishedClient> {
  await page.goto(`${origin}/mine/published-client.html?${transport}${mediaManager === "default" ? "&default" : ""}`);
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
    sendFile: (text, source) => page.evaluate(`sendFile(${JSON.stringify(text)}, ${JSON.stringify(source)})`),
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
    enableCam: (enable) => page.evaluate(`client.enableCam(${enable})`),
    enableScreenShare: (enable) => page.evaluate(`client.enableScreenShare(${enable})`),
    disconnect: () => page.evaluate("client.disconnect()"),
  };
}

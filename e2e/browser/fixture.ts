import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import { findGaps, findVoice, measureLevel, measurePitch, tone, until } from "@pipecat-ts/runner-testing";
import { createRTVI, createTransport, type RunnerArguments } from "pipecat-runner";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { bot as echoBot } from "../../apps/echo-bot/bot.ts";
import { type RunningRunner, startRunner, type WebTransport } from "../runner.ts";
import { type CallerPage, openCallerPage } from "./caller-page.ts";
import { type RunningBrowser, startBrowser } from "./chromium.ts";

/** The pitch of the caller's voice, in Hz. */
const callerHz = 220;

/** How much a transport may change the level of the voice, in dB. Opus is lossy. */
const toleranceDb: Readonly<Record<WebTransport, number>> = { websocket: 1, webrtc: 3 };

/** After an interruption the bot must be silent within 150 ms; three times that for busy machines. */
export const silentWithinMs = 450;

/** In dBFS: above the level of a muted microphone, and below that of 500 ms of a voice. */
export const silenceDb = -60;

/**
 * How long the first clean 2 s of echo may take: the browser's noise suppression adapts to the voice for some seconds, and a
 * busy machine drops audio.
 */
const echoTimeoutMs = 20_000;
/** The echo that is compared with the caller's voice, in ms, and how often. */
const echoMs = 2_000;
const compareEveryMs = 400;

type StartArguments = Parameters<typeof startRunner> extends [WebTransport, ...infer Rest] ? Rest : never;

/** Runners and pages for the tests of one transport. */
export interface Fixture {
  readonly transport: WebTransport;
  readonly echoBot: typeof echoBot;
  /** Starts a runner with this transport; see `startRunner`. */
  start(...args: StartArguments): Promise<RunningRunner>;
  openPage(origin: string): Promise<CallerPage>;
  /**
   * Waits until the page plays 2 s of the caller's own voice: right pitch, right level, no gaps. `meanwhile` runs at the start
   * of the 2 s, again for each attempt.
   */
  expectEcho(page: CallerPage, meanwhile?: () => void): Promise<void>;
  /** Waits until all sessions of the runner have ended. Default: at most 5 s. */
  expectEnded(running: RunningRunner, withinMs?: number): Promise<void>;
}

/** Call once in a test file. Starts a browser. */
export function useBrowser(): {
  /**
   * Runners and pages over one transport, for the tests of this file or `describe`. After each test, closes its pages and
   * runners, and fails when a page had an error.
   */
  over(transport: WebTransport): Fixture;
  /** Runs `call` over WebRTC and WebSocket at the same time, which takes half as long as one after the other. */
  overBoth(call: (fixture: Fixture) => Promise<void>): Promise<void>;
} {
  let running: RunningBrowser;
  beforeAll(async () => {
    running = await startBrowser(callerHz);
  });
  afterAll(() => running?.[Symbol.asyncDispose]());
  const fixtures = {
    webrtc: useTransport("webrtc", () => running.browser),
    websocket: useTransport("websocket", () => running.browser),
  };
  return {
    over: (transport) => fixtures[transport],
    async overBoth(call) {
      const calls = Object.values(fixtures).map((fixture) =>
        call(fixture).catch((cause) => {
          throw new Error(`over ${fixture.transport}: ${cause}`, { cause });
        }),
      );
      await Promise.all(calls);
    },
  };
}

function useTransport(transport: WebTransport, browser: () => Browser): Fixture {
  const pages: CallerPage[] = [];
  const runners: RunningRunner[] = [];

  afterEach(async () => {
    const [openPages, openRunners] = [pages.splice(0), runners.splice(0)];
    await Promise.all(openPages.map((page) => page.close()));
    await Promise.all(openRunners.map(({ runner }) => runner.close()));
    expect(openPages.flatMap(({ errors }) => errors)).toEqual([]);
  });

  return {
    transport,
    echoBot,
    async start(...args) {
      const started = await startRunner(transport, ...args);
      runners.push(started);
      return started;
    },
    async openPage(origin) {
      const page = await openCallerPage(browser(), origin);
      pages.push(page);
      return page;
    },
    async expectEcho(page, meanwhile) {
      const deadline = performance.now() + echoTimeoutMs;
      await page.clearAudio();
      for (;;) {
        meanwhile?.();
        const [played, spoken] = await Promise.all([page.last("played", echoMs), page.last("spoken", echoMs)]);
        const difference = differenceOf(played, spoken, toleranceDb[transport]);
        if (difference === undefined) return;
        if (performance.now() > deadline) expect.fail(difference);
        if (meanwhile) await page.clearAudio();
        else await sleep(compareEveryMs);
      }
    },
    async expectEnded({ runner: { sessions } }, withinMs = 5_000) {
      const ended = () => sessions.counts.pending === 0 && sessions.counts.active === 0;
      await until("all sessions have ended", ended, withinMs);
    },
  };
}

/** How the echo differs from the caller's voice: pitch by 1 %, level, or silence. `undefined` when it does not. */
function differenceOf(played: AudioFrame, spoken: AudioFrame, tolerance: number): string | undefined {
  const pitch = measurePitch(played) ?? 0;
  if (Math.abs(pitch / callerHz - 1) > 0.01) return `the page plays ${pitch} Hz instead of ${callerHz} Hz`;
  const [level, expected] = [measureLevel(played), measureLevel(spoken)];
  if (Math.abs(level - expected) > tolerance) return `the page plays ${level} dBFS instead of ${expected} dBFS`;
  const [silent, pauses] = [silentShare(played), silentShare(spoken)];
  return silent > pauses + 0.05 ? `the page is silent for ${silent} of the time instead of ${pauses}` : undefined;
}

/** The share of silence between sounds, from 0 to 1. */
function silentShare(audio: AudioFrame): number {
  const silentMs = findGaps(audio).reduce((sum, { durationMs }) => sum + durationMs, 0);
  return silentMs / ((audio.samples.length / audio.sampleRate) * 1000);
}

/** How long the talkative bot is silent after an interruption, in ms. */
const pauseMs = 2_500;

/** A bot that speaks for a minute. After the client message `interrupt` it pauses, and then plays back the caller's audio. */
export async function talkativeBot(args: RunnerArguments): Promise<void> {
  const transport = await createTransport(args, { webrtc: () => ({}), websocket: () => ({}) });
  createRTVI(transport).on("clientMessage", ({ type }) => {
    if (type === "interrupt") transport.interrupt();
  });
  await transport.play(monologue()).done;
  await sleep(pauseMs);
  await transport.listen().pipeTo(transport.output);
}

async function* monologue() {
  yield tone(440, { durationMs: 60_000, sampleRate: 24_000 });
}

/**
 * How long the page still played the talkative bot after an interruption, in ms. `interrupt` resolves with the time of the
 * interruption, in ms since 1970.
 */
export async function msPlayedAfter(caller: CallerPage, interrupt: () => Promise<number>): Promise<number> {
  await expect.poll(async () => findVoice(await caller.listen("played", 200)), { timeout: 10_000 }).toBeDefined();
  const [played, interruptedAtMs] = await Promise.all([caller.listen("played", 2_000), interrupt()]);
  const durationMs = (played.samples.length / played.sampleRate) * 1000;
  const voice = findVoice(played);
  if (voice === undefined) throw new Error("The page stopped playing the bot before the interruption.");
  return played.endedAtMs - durationMs + voice.toMs - interruptedAtMs;
}

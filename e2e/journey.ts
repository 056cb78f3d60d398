import { until } from "@pipecat-ts/runner-testing";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { bot as echoBot } from "../apps/echo-bot/bot.ts";
import { launchBrowser } from "./browser.ts";
import { type CallerPage, openCallerPage } from "./caller-page.ts";
import { createVoice, type Voice } from "./microphone.ts";
import { type JourneyTransport, type RunningRunner, startRunner } from "./running-runner.ts";
import { differenceOf } from "./voice-likeness.ts";

/** The pitch of the caller's voice, in Hz. */
const callerHz = 220;

/** How much louder or quieter each wire may make the voice, in dB: Opus is not exact. */
const toleranceDb: Readonly<Record<JourneyTransport, number>> = { websocket: 1, webrtc: 3 };

/** An interruption is to be heard within 150 ms; three times that, for machines with other work. */
export const silentWithinMs = 450;

/** What a microphone that is muted gives, and a voice does not, in dBFS: some of a voice's 500 ms are loud. */
export const silenceDb = -60;

/** How long after a page died its session may live: a socket is closed by the system, and a peer's silence is waited out. */
export const missedWithinMs: Readonly<Record<JourneyTransport, number>> = { websocket: 1_000, webrtc: 12_000 };

/**
 * How long two clean seconds may take to come. The bot greets first, the browser's noise suppression makes up its mind for some
 * seconds how loud a voice is, and a machine without a core to spare drops sound.
 */
const hearingTimeoutMs = 20_000;

type StartArguments = Parameters<typeof startRunner> extends [JourneyTransport, ...infer Rest] ? Rest : never;

/** What the journeys of one file share: a browser, and what each of them opened, closed and checked after it. */
export interface Journey {
  readonly echoBot: typeof echoBot;
  /** Starts a runner with this transport alone: see `startRunner`. */
  start(...args: StartArguments): Promise<RunningRunner>;
  openPage(origin: string): Promise<CallerPage>;
  /**
   * Listens until the page plays two seconds of the caller's own voice: its pitch, its level, no gaps. Fails when it does not.
   * `meanwhile` is done once in those seconds, whenever they begin anew.
   */
  hearEcho(page: CallerPage, meanwhile?: () => void): Promise<void>;
  /** Fails unless every session of the runner ends within `withinMs`: a second, if not told otherwise. */
  expectEnded(running: RunningRunner, withinMs?: number): Promise<void>;
}

/** Call once in a test file, or in a `describe`, for each transport. After each test, its pages and runners are closed, and none may have gone wrong unseen. */
export function useJourney(transport: JourneyTransport): Journey {
  let voice: Voice;
  let browser: Browser;
  const pages: CallerPage[] = [];
  const runners: RunningRunner[] = [];

  beforeAll(async () => {
    voice = await createVoice(callerHz);
    browser = await launchBrowser(voice.file);
  });
  afterEach(async () => {
    const opened = [pages.splice(0), runners.splice(0)] as const;
    await Promise.all(opened[0].map((page) => page.close()));
    await Promise.all(opened[1].map(({ runner }) => runner.close()));
    expect(opened[0].flatMap(({ faults }) => faults)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await voice?.[Symbol.asyncDispose]();
  });

  return {
    echoBot,
    async start(...args) {
      const running = await startRunner(transport, ...args);
      runners.push(running);
      return running;
    },
    async openPage(origin) {
      const page = await openCallerPage(browser, origin);
      pages.push(page);
      return page;
    },
    async hearEcho(page, meanwhile = () => undefined) {
      const deadline = performance.now() + hearingTimeoutMs;
      for (;;) {
        const hearing = Promise.all([page.listen("heard", 2_000), page.listen("spoken", 2_000)]);
        meanwhile();
        const [heard, spoken] = await hearing;
        const difference = differenceOf(heard, { spoken, hz: callerHz, toleranceDb: toleranceDb[transport] });
        if (difference === undefined) return;
        if (performance.now() > deadline) expect.fail(difference);
      }
    },
    async expectEnded({ runner: { sessions } }, withinMs = 1_000) {
      const ended = () => sessions.counts.pending === 0 && sessions.counts.active === 0;
      await until("every session ended", ended, withinMs);
    },
  };
}

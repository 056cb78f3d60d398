import { until } from "@pipecat-ts/runner-testing";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { bot as echoBot } from "../apps/echo-bot/bot.ts";
import { launchBrowser } from "./browser.ts";
import { type CallerPage, openCallerPage } from "./caller-page.ts";
import { createVoice, type Voice } from "./microphone.ts";
import { type RunningRunner, startRunner } from "./running-runner.ts";
import { differenceOf } from "./voice-likeness.ts";

/** The pitch of the caller's voice, in Hz. */
const callerHz = 220;

/**
 * How long two clean seconds may take to come. The bot greets first, the browser's noise suppression makes up its mind for some
 * seconds how loud a voice is, and a machine without a core to spare drops sound.
 */
const hearingTimeoutMs = 20_000;

/** What the journeys of one file share: a browser, and what each of them opened, closed and checked after it. */
export interface Journey {
  readonly echoBot: typeof echoBot;
  start(...args: Parameters<typeof startRunner>): Promise<RunningRunner>;
  openPage(origin: string): Promise<CallerPage>;
  /** Listens until the page plays two seconds of the caller's own voice: its pitch, its level, no gaps. Fails when it does not. */
  hearEcho(page: CallerPage): Promise<void>;
  /** Fails unless every session of the runner ends within a second. */
  expectEnded(running: RunningRunner): Promise<void>;
}

/** Call once in a test file. After each test, its pages and runners are closed, and none may have gone wrong unseen. */
export function useJourney(): Journey {
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
      const running = await startRunner(...args);
      runners.push(running);
      return running;
    },
    async openPage(origin) {
      const page = await openCallerPage(browser, origin);
      pages.push(page);
      return page;
    },
    async hearEcho(page) {
      const deadline = performance.now() + hearingTimeoutMs;
      for (;;) {
        const [heard, spoken] = await Promise.all([page.listen("heard", 2_000), page.listen("spoken", 2_000)]);
        const difference = differenceOf(heard, spoken, callerHz);
        if (difference === undefined) return;
        if (performance.now() > deadline) expect.fail(difference);
      }
    },
    async expectEnded({ runner: { sessions } }) {
      const ended = () => sessions.counts.pending === 0 && sessions.counts.active === 0;
      await until("every session ended", ended, 1_000);
    },
  };
}

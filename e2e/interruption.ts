import { setTimeout as sleep } from "node:timers/promises";
import { findVoice, tone } from "@pipecat-ts/runner-testing";
import { createRTVI, createTransport, type RunnerArguments } from "pipecat-runner";
import type { CallerPage } from "./caller-page.ts";

/** How long the talkative bot is silent once it was interrupted, in ms: long enough to tell that silence. */
const pauseMs = 2_500;

/** A bot that talks for a minute. Interrupted by RTVI's client message "interrupt", it pauses, and then plays back what it hears. */
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
 * How long the talkative bot was still heard after an interruption, in ms: by the page's clock, up to its loudspeaker.
 * `interrupt` does it, and resolves with when, in ms since 1970.
 */
export async function msHeardAfter(caller: CallerPage, interrupt: () => Promise<number>): Promise<number> {
  const [heard, interruptedAtMs] = await Promise.all([caller.listen("heard", 2_000), interrupt()]);
  const durationMs = (heard.samples.length / heard.sampleRate) * 1000;
  const voice = findVoice(heard);
  if (voice === undefined) throw new Error("The bot was not heard before it was interrupted.");
  return heard.endedAtMs - durationMs + voice.toMs - interruptedAtMs;
}

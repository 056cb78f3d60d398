import { join } from "node:path";
import type { AudioFrame } from "@pipecat-ts/audio";
import { join as joinFrames, measureLevel, tone, until } from "@pipecat-ts/runner-testing";
import { createTransport } from "pipecat-runner";
import type { CallerPage } from "./caller-page.ts";
import type { Fixture } from "./fixture.ts";

/** The kind and direction of a media section. */
export type Section = readonly [kind: "audio" | "video", direction: "sendrecv" | "sendonly" | "recvonly"];

/** How one of Pipecat's native clients differs: see `page/peer-caller.js`. */
export interface NativeClient {
  readonly label: string;
  readonly binary?: boolean;
  readonly keepsVP8?: boolean;
}

export interface PeerCall {
  /** Evaluates an expression with the functions of `page/peer-caller.js`. */
  evaluate<T>(expression: string): Promise<T>;
  /** The caller's audio that the bot has received. */
  readonly heard: AudioFrame[];
}

/**
 * A page that uses `RTCPeerConnection` without a client library calls a bot. Both send a tone. Resolves when each side receives
 * the other's. The bot of a native `client` wants video.
 */
export async function openPeerCall(
  { start, openPage }: Pick<Fixture, "start" | "openPage">,
  sections: readonly Section[],
  bundlePolicy = "balanced",
  client?: NativeClient,
): Promise<PeerCall> {
  const heard: AudioFrame[] = [];
  const { origin } = await start(async (args) => {
    const transport = await createTransport(args, { webrtc: () => ({ videoInEnabled: client !== undefined }) });
    transport.play(minuteOfTone());
    for await (const frame of transport.listen()) heard.push(frame);
  });
  const { page }: CallerPage = await openPage(origin);
  await page.addInitScript({ path: join(import.meta.dirname, "page/peer-caller.js") });
  await page.goto(origin);
  await page.evaluate(`startCall(${JSON.stringify({ sections, bundlePolicy, client })})`);
  await page.waitForFunction("arrivals.length > 50", undefined, { timeout: 5_000 });
  await until("the bot hears the tone", () => measureLevel(joinFrames(heard.slice(-5))) > -40, 5_000);
  return { evaluate: (expression) => page.evaluate(expression), heard };
}

async function* minuteOfTone() {
  yield tone(330, { durationMs: 60_000, sampleRate: 24_000 });
}

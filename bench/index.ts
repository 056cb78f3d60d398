/**
 * `pnpm bench [PART …] [--seconds 60] [--sessions 1,10,20,30]`: prints what the runner costs, each figure beside its floor.
 * Needs Linux's `taskset` to hold server and callers to a core each; without it the figures mix.
 */
import { parseArgs } from "node:util";
import { measureCalls } from "./calls.ts";
import { measureDailyBots } from "./daily-bots.ts";
import { measureSessions } from "./sessions.ts";
import { measureStart } from "./start-requests.ts";
import { measureStartup } from "./startup.ts";
import {
  measureWebRTCAnswers,
  measureWebRTCEcho,
  measureWebRTCProfile,
  measureWebRTCSessions,
  type WebRTCBench,
} from "./webrtc/index.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "60" }, sessions: { type: "string" } },
});
const seconds = Number(values.seconds);

/** What can be measured, by the name to ask for it alone. */
const parts: Readonly<Record<string, () => Promise<string>>> = {
  startup: () => measureStartup(7),
  start: () => measureStart(2000),
  websocket: () => measureSessions(counts([1, 50, 200]), seconds),
  calls: () => measureCalls(counts([50, 200, 500]), seconds),
  daily: () => measureDailyBots(counts([1, 3]), Math.min(10, seconds)),
  "webrtc-answers": () => measureWebRTCAnswers(),
  "webrtc-echo": () => measureWebRTCEcho(webrtc()),
  "webrtc-sessions": () => measureWebRTCSessions(webrtc()),
  "webrtc-profile": () => measureWebRTCProfile(webrtc()),
};

function counts(normally: readonly number[]): readonly number[] {
  return values.sessions?.split(",").map(Number) ?? normally;
}

function webrtc(): WebRTCBench {
  return { seconds, sessions: counts([1, 10, 20, 30]) };
}

const unknown = positionals.find((name) => !Object.hasOwn(parts, name));
if (unknown !== undefined) throw new Error(`There is no part "${unknown}", only ${Object.keys(parts).join(", ")}.`);
for (const [name, measure] of Object.entries(parts))
  if (positionals.length === 0 || positionals.includes(name)) console.log(`${await measure()}\n`);

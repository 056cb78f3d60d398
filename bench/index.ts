/**
 * `pnpm bench [PART …] [--seconds 60] [--sessions 1,10,20,30]`: measures the runner's cost and prints each figure beside its
 * floor. Uses `taskset` (Linux) to give server and callers a core each; without it, the figures mix.
 */
import { parseArgs } from "node:util";
import { measureDailyBots } from "./daily-bots.ts";
import { measureFidelity } from "./fidelity/index.ts";
import { measureLiveKitBots } from "./livekit-bots.ts";
import { measureCalls, measureSessions } from "./sessions.ts";
import { measureStart, measureStartup } from "./startup.ts";
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

/** The measurements, by name. */
const parts: Readonly<Record<string, () => Promise<string>>> = {
  startup: () => measureStartup(7),
  start: () => measureStart(2000),
  websocket: () => measureSessions(counts([1, 50, 200]), seconds),
  calls: () => measureCalls(counts([50, 200, 500]), seconds),
  livekit: () => measureLiveKitBots(counts([1, 5, 20]), Math.min(15, seconds)),
  daily: () => measureDailyBots(counts([1, 3]), Math.min(10, seconds)),
  "webrtc-answers": () => measureWebRTCAnswers(),
  "webrtc-echo": () => measureWebRTCEcho(webrtc()),
  "webrtc-sessions": () => measureWebRTCSessions(webrtc()),
  "webrtc-profile": () => measureWebRTCProfile(webrtc()),
  fidelity: () => measureFidelity(),
};

function counts(defaults: readonly number[]): readonly number[] {
  return values.sessions?.split(",").map(Number) ?? defaults;
}

function webrtc(): WebRTCBench {
  return { seconds, sessions: counts([1, 10, 20, 30]) };
}

const unknown = positionals.find((name) => !Object.hasOwn(parts, name));
if (unknown !== undefined) throw new Error(`"${unknown}" is not a part. Use ${Object.keys(parts).join(", ")}.`);
for (const [name, measure] of Object.entries(parts))
  if (positionals.length === 0 || positionals.includes(name)) console.log(`${await measure()}\n`);

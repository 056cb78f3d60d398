/**
 * `pnpm bench [PART …] [--seconds 60] [--sessions 1,30,200] [--runs 1] [--json FILE] [--python]`: measures the runner's cost and
 * prints each figure, the median of all runs, beside its floor. Each part has its own default of `--sessions`. With `--python`,
 * measures Pipecat's own runner too, which it installs once with pip. `pnpm bench --compare OLD NEW` compares JSON files of two
 * versions (several of one version: `a.json,b.json`), and exits with 3 when a figure is 10 % worse.
 * Uses `taskset` (Linux) to give server and callers a core each; without it, the figures mix.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { compare, formatChanges, isWorse, merge, type Series } from "./comparison.ts";
import { measureDailyBots } from "./daily-bots.ts";
import { measureFidelity } from "./fidelity/index.ts";
import { type Figure, formatFigures, median } from "./figures.ts";
import { measureFleet } from "./fleet.ts";
import { measureIdle } from "./idle.ts";
import { measureIsolation } from "./isolation.ts";
import { measureLiveKitBots } from "./livekit-bots.ts";
import { measureCalls, measureFrames, measureSessions } from "./sessions.ts";
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
  options: {
    seconds: { type: "string", default: "60" },
    sessions: { type: "string" },
    runs: { type: "string", default: "1" },
    json: { type: "string" },
    python: { type: "boolean", default: false },
    compare: { type: "boolean", default: false },
  },
});
const seconds = Number(values.seconds);
const { python } = values;

/** The measurements, by name. */
const parts: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  startup: () => measureStartup(7),
  idle: () => measureIdle(seconds),
  start: () => measureStart(2000),
  frames: () => measureFrames(Math.min(15, seconds)),
  websocket: () => measureSessions({ counts: counts([1, 30, 200]), seconds, python }),
  calls: () => measureCalls({ counts: counts([1, 30, 200, 500]), seconds, python }),
  livekit: () => measureLiveKitBots(counts([1, 5, 20]), Math.min(15, seconds)),
  daily: () => measureDailyBots(counts([1, 3]), Math.min(10, seconds)),
  isolation: () => measureIsolation(Math.min(15, seconds)),
  fleet: () => measureFleet(counts([100, 200, 300]), Math.min(15, seconds)),
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
  return { seconds, sessions: counts([1, 10, 30]), python };
}

/** Measures each part once per run, and prints it as soon as it is measured. */
async function measure(names: readonly string[], runs: number): Promise<Series[]> {
  const all: Series[] = [];
  for (const name of names) {
    const measured: (readonly Figure[])[] = [];
    for (let run = 0; run < runs; run++) measured.push((await parts[name]?.()) ?? []);
    const [first = [], ...others] = measured;
    const series = first.map((figure, index) => ({
      ...figure,
      values: [figure, ...others.flatMap((figures) => figures[index] ?? [])].map(({ value }) => value),
    }));
    console.log(`${name}\n${formatFigures(series.map((each) => ({ ...each, value: median(each.values) })))}\n`);
    all.push(...series.map(({ name, unit, values, moreIsBetter = false }) => ({ name, unit, values, moreIsBetter })));
  }
  return all;
}

/** The figures of JSON files of one version, separated by commas. */
function readFigures(files: string | undefined): readonly Series[] {
  if (files === undefined) throw new Error("Name the files of two versions: pnpm bench --compare old.json new.json");
  const all = files
    .split(",")
    .map((file) => JSON.parse(readFileSync(file, "utf8")) as { readonly figures: readonly Series[] });
  return all.map(({ figures }) => figures).reduce(merge, []);
}

if (values.compare) {
  const changes = compare(readFigures(positionals[0]), readFigures(positionals[1]));
  console.log(formatChanges(changes));
  // Node exits with 1 after an exception.
  if (isWorse(changes)) process.exitCode = 3;
} else {
  const unknown = positionals.find((name) => !Object.hasOwn(parts, name));
  if (unknown !== undefined) throw new Error(`"${unknown}" is not a part. Use ${Object.keys(parts).join(", ")}.`);
  const figures = await measure(positionals.length > 0 ? positionals : Object.keys(parts), Number(values.runs));
  const machine = { node: process.version, processor: cpus()[0]?.model, cores: cpus().length };
  if (values.json) writeFileSync(values.json, `${JSON.stringify({ ...machine, figures }, undefined, 1)}\n`);
}

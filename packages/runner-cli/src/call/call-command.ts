import { resolve } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { RunnerError, resolveOptions } from "@pipecat-ts/runner-core";
import type { CallerPlugin } from "@pipecat-ts/runner-core/caller";
import { parsePublicUrl } from "@pipecat-ts/runner-host";
import { parseCommand, parsePartly } from "../command-line.ts";
import type { FlagGroup } from "../flags.ts";
import { findProject, loadEnvironment, shownPath } from "../project.ts";
import { type CallRecording, createCallRecording } from "./call-recording.ts";
import { loadCallerAudio, resampledOnce } from "./caller-audio.ts";
import { type Expectation, failureReason } from "./expectations.ts";
import { findCaller } from "./find-caller.ts";
import { type CallFlags, callFlags } from "./flags.ts";
import { openLiveAudio, type RecordedMicrophone } from "./live-audio.ts";
import { type CallPlan, type CallResult, type CallTarget, placeCall, pressedAfterMs } from "./place-call.ts";
import { type CheckedResult, helpText, reportJson, reportText, silentEndNotes } from "./report.ts";
import { createScreen } from "./screen.ts";

const group: FlagGroup = { name: "Options", table: callFlags };
/** So much lag of this process distorts the figures. */
const ownLagMs = 50;
/** Ctrl-C ends the program that records too, perhaps before this process has got the signal. */
const ctrlCMs = 200;

/**
 * `pipecat-runner call <transport>`: calls a running runner, and prints what was measured. Returns the exit code: 0 when every
 * call was placed, succeeded and met every `--expect`, else 1. Throws OPTION_INVALID, TRANSPORT_UNAVAILABLE, PLUGIN_INVALID.
 */
export async function callCommand(argv: readonly string[]): Promise<number> {
  const first = parsePartly(argv, [group]);
  const { project: folder = "." } = first.given[group.name] as { readonly project?: string };
  loadEnvironment([folder, findProject(resolve(folder)).folder]);
  if (first.given[group.name]?.help) {
    process.stdout.write(`${helpText([group], process.stdout.columns)}\n`);
    return 0;
  }
  const plugin = await findCaller(first.bot, folder);
  const groups = [group, { name: plugin.name, table: (plugin.options ?? {}) as FlagGroup["table"] }];
  const { given } = parseCommand(argv, groups);
  const flags = resolveOptions<CallFlags>(callFlags, { given: given[group.name] ?? {} });
  checkFlags(plugin, flags);
  const recording = flags.record === undefined ? undefined : await createCallRecording(flags.record);
  let live: RecordedMicrophone | undefined;
  try {
    if (flags.mic) live = await openLiveAudio();
    return await callAndReport(plugin, flags, given[plugin.name] ?? {}, recording, live);
  } finally {
    await live?.close();
  }
}

/** Throws OPTION_INVALID for flags that exclude each other, or that the transport has no use for. */
function checkFlags({ name, starts, sendsPackets = false }: CallerPlugin, flags: CallFlags): void {
  const { record, calls, mic, wav, say, bargeIn, loss, jitter, hangUp, dtmf, body } = flags;
  if (body !== undefined && !starts) {
    throw new RunnerError("OPTION_INVALID", `--body: a call over ${name} has no start request to send it with.`, {
      fix: "Omit --body.",
    });
  }
  if (record !== undefined && calls > 1) {
    throw new RunnerError("OPTION_INVALID", "--record records one call.", { fix: "Remove --calls." });
  }
  if (record !== undefined && wav !== undefined && resolve(record) === resolve(wav)) {
    throw new RunnerError("OPTION_INVALID", "--record would overwrite the file of --wav.", {
      fix: "Name another file.",
    });
  }
  if (hangUp !== undefined && pressedAfterMs(dtmf) > hangUp) {
    throw new RunnerError("OPTION_INVALID", "--dtmf: keys would be pressed after --hang-up.", {
      fix: "Let the caller hang up later.",
    });
  }
  const others = { "--wav": wav, "--say": say, "--barge-in": bargeIn, "--calls": calls > 1 ? calls : undefined };
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (mic && other !== undefined) {
    throw new RunnerError("OPTION_INVALID", `--mic and ${other} cannot be combined.`, { fix: "Remove one of them." });
  }
  if (sendsPackets || (loss === 0 && jitter === 0)) return;
  throw new RunnerError(
    "OPTION_INVALID",
    `${loss > 0 ? "--loss" : "--jitter"}: the caller of ${name} does not send packets itself.`,
    {
      fix: "Remove it, or call over a transport whose caller does.",
    },
  );
}

async function callAndReport(
  plugin: CallerPlugin,
  flags: CallFlags,
  given: Readonly<Record<string, unknown>>,
  recording: CallRecording | undefined,
  live: RecordedMicrophone | undefined,
): Promise<number> {
  const plan: CallPlan = {
    audioAt: resampledOnce(await loadCallerAudio(flags)),
    live,
    bargeInMs: flags.bargeIn,
    keys: flags.dtmf,
    hangUpMs: flags.hangUp,
  };
  const line = await plugin.open(resolveOptions(plugin.options ?? {}, { given }));
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt);
  let micFailure: string | undefined;
  void live?.ended.then(async (reason) => {
    await sleep(ctrlCMs);
    if (stop.signal.aborted) return;
    micFailure = reason;
    stop.abort();
  });
  try {
    const publicUrl = flags.publicUrl === undefined ? undefined : parsePublicUrl(flags.publicUrl);
    const { apiKey: key, body, loss, jitter: jitterMs } = flags;
    const network = loss > 0 || jitterMs > 0 ? { loss, jitterMs } : undefined;
    const target: CallTarget = { plugin, line, url: new URL(flags.url), publicUrl, key, body, network };
    const results =
      flags.calls === 1
        ? [await placeShownCall(target, plan, recording, stop.signal)]
        : await placeCalls(target, plan, flags, stop.signal);
    const checked = results.map((result) => check(result, flags.expect, micFailure));
    const notes = [...(line.notes ?? []), ...silentEndNotes(plugin.name, results), ...lagNotes(lag.max / 1e6)];
    const report = { transport: plugin.name, url: flags.url, results: checked, planned: flags.calls, notes };
    const isRecorded = recording !== undefined && results[0]?.end !== undefined;
    const text = flags.json
      ? reportJson(report)
      : reportText(
          { ...report, expectations: flags.expect, recordedTo: isRecorded ? shownPath(flags.record ?? "") : undefined },
          process.stdout,
        );
    process.stdout.write(`${text}\n`);
    return results.length < flags.calls || checked.some(({ failures }) => failures.length > 0) ? 1 : 0;
  } finally {
    lag.disable();
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
    await line.close?.();
  }
}

/** One call, which is shown on the terminal and may be recorded. */
async function placeShownCall(
  target: CallTarget,
  plan: CallPlan,
  recording: CallRecording | undefined,
  signal: AbortSignal,
) {
  const screen = createScreen(process.stderr);
  const result = await placeCall(target, plan, { ...screen, ...recording?.observer }, signal);
  screen.close();
  if (result.end) await recording?.write();
  return result;
}

/** Begins `ramp` calls per second, and waits until all have ended. An abort hangs up, and begins no further call. */
async function placeCalls(target: CallTarget, plan: CallPlan, { calls, ramp }: CallFlags, signal: AbortSignal) {
  const placed: Promise<CallResult>[] = [];
  const beganAtMs = performance.now();
  for (let index = 0; index < calls && !signal.aborted; index++) {
    const waitMs = beganAtMs + (index * 1_000) / ramp - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => undefined); // aborted: `signal` tells
    if (!signal.aborted) placed.push(placeCall(target, plan, {}, signal));
  }
  return await Promise.all(placed);
}

function lagNotes(lagMs: number): readonly string[] {
  if (lagMs < ownLagMs) return [];
  return [`The CPU was busy: timings may be up to ${Math.round(lagMs)} ms too high.`];
}

function check(result: CallResult, expectations: readonly Expectation[], micFailure?: string): CheckedResult {
  const { failure } = result;
  if (micFailure !== undefined) return { ...result, failures: [micFailure] };
  if (failure) return { ...result, failures: [`${failure.code}: ${failure.message}`] };
  return { ...result, failures: expectations.flatMap((each) => failureReason(each, result.figures) ?? []) };
}

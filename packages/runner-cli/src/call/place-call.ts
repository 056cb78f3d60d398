import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, createChunker, createResampler, measureLevel } from "@pipecat-ts/audio";
import { isFault, isRunnerError, RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import {
  type CallEnd,
  type Caller,
  type CallerLine,
  type CallerPlugin,
  type CallInvitation,
  clientReady,
  type Microphone,
  type NetworkImpairment,
  openMicrophone,
  type PlayedFrame,
  requestStart,
  rtviData,
  rtviMessage,
  send,
} from "@pipecat-ts/runner-core/caller";
import { type CallFigures, type CallMeter, createCallMeter } from "./figures.ts";
import type { KeyPress } from "./flags.ts";
import { createTranscript, type TranscriptLine } from "./transcript.ts";

/** What the caller does. Durations are in ms. */
export interface CallPlan {
  /** What the caller says, at a sample rate in Hz. */
  audioAt(sampleRate: number): AudioFrame;
  /** Instead: what the caller says as it is recorded, mono. `listen` gets it from now on, and returns a function that stops it. */
  readonly live?: LiveAudio | undefined;
  /** Says it this long after the bot begins to speak; at once if `undefined`. */
  readonly bargeInMs: number | undefined;
  readonly keys: readonly KeyPress[];
  /** Hangs up this long after the answer; `undefined`: once it has said everything and heard nothing for a while. */
  readonly hangUpMs: number | undefined;
}

/** Audio that is being recorded. */
export interface LiveAudio {
  /** In Hz. */
  readonly sampleRate: number;
  listen(listener: (samples: Int16Array) => void): () => void;
}

/** Where the call goes. */
export interface CallTarget {
  readonly plugin: CallerPlugin;
  readonly line: CallerLine;
  readonly url: URL;
  readonly publicUrl: URL | undefined;
  readonly key: string | undefined;
  /** `args.body` of the bot. */
  readonly body: unknown;
  readonly network?: NetworkImpairment | undefined;
}

/** What happens in a call while it happens. */
export interface CallObserver {
  answered?(answerMs: number): void;
  /** Ten times a second: the levels since the last time, in dBFS. */
  levels?(caller: number, bot: number): void;
  transcript?(line: TranscriptLine): void;
  /** Each frame that the caller sent. */
  sent?(frame: AudioFrame, atMs: number): void;
  /** Each frame that the caller heard, in order. */
  heard?(entry: PlayedFrame): void;
}

/** How a call went. */
export interface CallResult {
  readonly figures: CallFigures;
  /** Why it failed; missing when it did not. */
  readonly failure?: { readonly code: string; readonly message: string };
  /** Missing when the call was not answered. */
  readonly end?: CallEnd & { readonly by: "caller" | "bot" };
  /** Why the session ended, as the runner says, for a call that the bot ended on a wire that does not tell. */
  readonly sessionReason?: string;
  /** Messages of the runner that the real vendor would reject. */
  readonly protocolErrors: readonly string[];
  readonly transcript: readonly TranscriptLine[];
}

const dialTimeoutMs = 15_000;
const tickMs = 100;
/** A caller without `--hang-up` leaves after so much silence. */
const silenceMs = 2_000;
const longestMs = 60_000;
/** A caller that wants to interrupt waits so long for the bot to speak. */
const greetingTimeoutMs = 10_000;
const keyPauseMs = 200;
/** How long the caller waits for the runner to say why a session has ended. */
const reasonTimeoutMs = 5_000;

/** Places one call and plays its plan. Never rejects: a call that fails is a result. An abort hangs up. */
export async function placeCall(
  target: CallTarget,
  plan: CallPlan,
  observer: CallObserver,
  signal: AbortSignal,
): Promise<CallResult> {
  const dialedAtMs = performance.now();
  let caller: Caller;
  let sessionId: string | undefined;
  try {
    ({ caller, sessionId } = await dial(target, signal));
  } catch (error) {
    return unanswered(failureOf(error));
  }
  if (plan.keys.length > 0 && !caller.press && !caller.sendMessage) {
    await caller.hangUp();
    const message = `--dtmf: the caller of ${target.plugin.name} cannot press keys. Omit --dtmf.`;
    return unanswered({ code: "OPTION_INVALID", message });
  }
  const { answeredAtMs = performance.now() } = caller;
  observer.answered?.(answeredAtMs - dialedAtMs);
  const meter = createCallMeter(answeredAtMs);
  const { end, fatalError, transcript } = await converse(caller, plan, observer, meter, signal);
  const figures = { ...meter.figures(performance.now()), answerMs: answeredAtMs - dialedAtMs };
  const isExplained = end.by === "caller" || end.code !== undefined;
  const reason = isExplained || sessionId === undefined ? undefined : await endReason(target, sessionId);
  const failure = endFailure(end, fatalError) ?? reasonFailure(reason);
  return {
    figures,
    ...(failure && { failure }),
    end,
    ...(reason !== undefined && { sessionReason: reason }),
    protocolErrors: caller.protocolErrors ?? [],
    transcript,
  };
}

/** A fatal RTVI error, a lost connection, or a close code other than 1000. */
function endFailure(end: NonNullable<CallResult["end"]>, fatalError: string | undefined): CallResult["failure"] {
  const code = "CALL_FAILED";
  if (fatalError !== undefined) return { code, message: `The bot failed: ${fatalError}` };
  const abnormal = end.lost === true || (end.code !== undefined && end.code !== 1000);
  return end.by === "bot" && abnormal ? { code, message: `The call ended with ${describeEnd(end)}.` } : undefined;
}

/** The end of a session that is a failure of its bot or of the runner. */
function reasonFailure(reason: string | undefined): CallResult["failure"] {
  if (reason === undefined || !isFault(reason)) return undefined;
  return { code: "CALL_FAILED", message: `The call ended with ${reason}. Read the runner's log.` };
}

/**
 * Asks the runner why a session ended, for transports whose wire does not tell. The runner tells only those who have its key.
 * `undefined` when it does not answer, or does not describe sessions.
 */
async function endReason({ url, key }: CallTarget, sessionId: string): Promise<string | undefined> {
  const path = `${url.href.replace(/\/$/, "")}/sessions/${encodeURIComponent(sessionId)}`;
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const signal = AbortSignal.timeout(reasonTimeoutMs);
  for (let waitMs = 50; ; waitMs *= 2) {
    const answer = await send(path, { headers, signal }).catch(() => undefined); // The reason is an addition.
    const { reason, state } = Object(answer?.json) as { readonly reason?: unknown; readonly state?: unknown };
    if (typeof reason === "string") return reason;
    // The wire is closed before the session has ended.
    if (state === undefined || !(await sleep(waitMs, true, { signal }).catch(() => false))) return undefined;
  }
}

/** The text of the first fatal RTVI error. */
function fatalErrorIn(messages: readonly unknown[]): string | undefined {
  const errors = rtviData(messages, "error").map(
    (data) => Object(data) as { readonly fatal?: unknown; error?: unknown },
  );
  const fatal = errors.find((each) => each.fatal === true);
  return fatal && String(fatal.error);
}

/** `1011 bot-failed`. */
export function describeEnd({ code, reason }: CallEnd): string {
  return [code, reason].filter((part) => part !== undefined && part !== "").join(" ") || "no reason";
}

function unanswered(failure: NonNullable<CallResult["failure"]>): CallResult {
  const none = { answerMs: undefined, firstAudioMs: undefined, bargeInMs: undefined, levelDb: undefined };
  const figures: CallFigures = { ...none, heardMs: 0, gaps: 0, longestGapMs: 0, durationMs: 0 };
  return { figures, failure, protocolErrors: [], transcript: [] };
}

/** A call that was answered. */
interface DialedCall {
  readonly caller: Caller;
  /** The session's id, of a call that began with a start request. */
  readonly sessionId: string | undefined;
}

async function connect(target: CallTarget, signal: AbortSignal): Promise<DialedCall> {
  const { plugin, line, url, publicUrl, key, body, network } = target;
  const start = plugin.starts ? await requestStart(plugin.name, target, body) : undefined;
  signal.throwIfAborted();
  const invitation: CallInvitation = { url, publicUrl, key, network, signal, records: false, ...(start && { start }) };
  return { caller: await line.dial(invitation), sessionId: start?.sessionId };
}

async function dial(target: CallTarget, signal: AbortSignal): Promise<DialedCall> {
  const { url } = target;
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), dialTimeoutMs);
  try {
    const stop = AbortSignal.any([signal, late.signal]);
    const dialing = connect(target, stop);
    if (await withTimeout(dialing, stop)) return await dialing;
    dialing.then(({ caller }) => caller.drop()).catch(() => undefined); // The call has failed already.
    if (signal.aborted) throw new RunnerError("CALL_INTERRUPTED", "The call was interrupted before it was answered.");
    throw timedOut();
  } catch (error) {
    if (isRunnerError(error)) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    // The timeout of a request.
    if (code === "ABORT_ERR") throw timedOut(error);
    throw code === undefined
      ? new RunnerError("CALL_REJECTED", message, { cause: error })
      : unreachable(url, code, error);
  } finally {
    clearTimeout(timer);
  }
}

function timedOut(cause?: unknown): RunnerError {
  return new RunnerError("CALL_TIMED_OUT", `The runner did not answer the call within ${dialTimeoutMs / 1000} s.`, {
    fix: "Read the runner's log, and check --url.",
    cause,
  });
}

function unreachable(url: URL, code: string, cause: unknown): RunnerError {
  return new RunnerError("RUNNER_UNREACHABLE", `No runner answers at ${url}: ${code}.`, {
    fix: "Start it with pipecat-runner bot.ts, or name its address with --url.",
    cause,
  });
}

function failureOf(error: unknown): NonNullable<CallResult["failure"]> {
  const { code, message, fix } = error as RunnerError;
  const hint = code === "KEY_REQUIRED" ? "This command sends --api-key or PIPECAT_RUNNER_API_KEY." : undefined;
  return { code, message: [message, fix ?? hint].filter(Boolean).join(" ") };
}

/** From the answer to the end of the call. */
async function converse(caller: Caller, plan: CallPlan, observer: CallObserver, meter: CallMeter, signal: AbortSignal) {
  const { playout, messages = [] } = caller;
  const answeredAtMs = performance.now();
  const { sampleRate } = caller;
  const timers: NodeJS.Timeout[] = [];
  const hungUp = Promise.withResolvers<"caller">();
  const reader = createTranscript();
  const transcript: TranscriptLine[] = [];
  let fatalError: string | undefined;
  let callerDb = Number.NEGATIVE_INFINITY;
  let speaks = false;
  let saidAtMs: number | undefined;
  const keysMs = pressedAfterMs(plan.keys);

  const microphone = openMicrophone(sampleRate, (frame) => {
    callerDb = Math.max(callerDb, measureLevel(frame));
    observer.sent?.(frame, performance.now());
    caller.sendAudio(frame);
  });

  async function say(): Promise<void> {
    speaks = true;
    await microphone.say(plan.audioAt(sampleRate));
    saidAtMs = performance.now();
  }

  function listen(played: readonly PlayedFrame[]): void {
    let botDb = Number.NEGATIVE_INFINITY;
    for (const entry of played) {
      observer.heard?.(entry);
      botDb = Math.max(botDb, meter.heard(entry));
    }
    observer.levels?.(callerDb, botDb);
    callerDb = Number.NEGATIVE_INFINITY;
  }

  /** Messages are removed when they are read: a call may last an hour. */
  function readMessages(): void {
    const arrived = messages.splice(0);
    fatalError ??= fatalErrorIn(arrived);
    for (const line of reader.read(arrived)) {
      transcript.push(line);
      observer.transcript?.(line);
    }
  }

  function tick(): void {
    const nowMs = performance.now();
    listen(playout.takePlayed());
    readMessages();
    const { audibleFromMs, audibleToMs: quietSinceMs = answeredAtMs } = meter;
    if (!speaks && !plan.live) {
      const mayInterrupt = audibleFromMs !== undefined && nowMs - audibleFromMs >= (plan.bargeInMs ?? 0);
      if (mayInterrupt) meter.bargedIn(nowMs);
      if (mayInterrupt || (audibleFromMs === undefined && nowMs - answeredAtMs > greetingTimeoutMs)) void say();
    }
    if (plan.hangUpMs !== undefined || plan.live) return;
    if (nowMs - answeredAtMs < keysMs) return;
    const isDone = saidAtMs !== undefined && nowMs - Math.max(saidAtMs, quietSinceMs) >= silenceMs;
    if (isDone || nowMs - answeredAtMs >= longestMs) hungUp.resolve("caller");
  }

  caller.sendMessage?.(clientReady("pipecat-runner call"));
  const stopLive = plan.live && speakLive(plan.live, microphone, sampleRate);
  if (plan.bargeInMs === undefined && !plan.live) void say();
  timers.push(setInterval(tick, tickMs));
  for (const { keys, atMs } of plan.keys) {
    [...keys].forEach((key, index) => {
      timers.push(setTimeout(() => press(caller, key), atMs + index * keyPauseMs));
    });
  }
  if (plan.hangUpMs !== undefined) timers.push(setTimeout(() => hungUp.resolve("caller"), plan.hangUpMs));
  const abort = () => hungUp.resolve("caller");
  signal.addEventListener("abort", abort);
  if (signal.aborted) abort();

  const by = await Promise.race([hungUp.promise, caller.closed.then(() => "bot" as const)]);
  signal.removeEventListener("abort", abort);
  for (const timer of timers) clearInterval(timer);
  stopLive?.();
  microphone.close();
  listen(playout.takePlayed());
  if (by === "caller") await caller.hangUp();
  const end = { ...(await caller.closed), by };
  readMessages();
  // With the rest of the frame that was being played.
  listen(playout.played());
  return { end, fatalError, transcript };
}

/** Says what is recorded, in frames of 20 ms. Returns a function that stops it. */
function speakLive(live: LiveAudio, microphone: Microphone, sampleRate: number): () => void {
  const resampler = createResampler({ fromRate: live.sampleRate, toRate: sampleRate });
  const chunker = createChunker(sampleRate / 50);
  return live.listen((samples) => {
    for (const chunk of chunker.push(resampler.process(samples)))
      void microphone.say({ samples: chunk, sampleRate, channels: 1 });
  });
}

/** When all keys have been pressed, in ms after the answer. */
export function pressedAfterMs(keys: CallPlan["keys"]): number {
  return Math.max(0, ...keys.map(({ keys: each, atMs }) => atMs + each.length * keyPauseMs));
}

/** Apps have no telephone keys: they send RTVI's message. */
function press(caller: Caller, key: string): void {
  if (caller.press) caller.press(key);
  else caller.sendMessage?.(rtviMessage("dtmf", { button: key }));
}

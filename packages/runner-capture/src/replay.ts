import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import {
  type Bot,
  type Call,
  type CallData,
  type CloseReason,
  type Connect,
  connectKey,
  createRateLimit,
  type RunnerArguments,
  RunnerError,
  type SessionArguments,
  type Transport,
  type TransportPlugin,
  withTimeout,
} from "@pipecat-ts/runner-core";
import { createRunner, type RunnerOptions, type WireEvent } from "@pipecat-ts/runner-host";
import type { CaptureEvent } from "./format.ts";
import { type CapturedCall, readCapture } from "./read.ts";
import { createWireCaller, hasDial, isStart, type ReplayCaller } from "./wire-caller.ts";

/** How a captured call is replayed. Further options are those of `createRunner`, without what a replay sets itself. */
export interface ReplayOptions
  extends Pick<
    RunnerOptions,
    "bot" | "plugins" | "pluginOptions" | "cliArgs" | "body" | "fileStorage" | "logger" | "maxCallDurationMs"
  > {
  /**
   * `real`: at the recorded times. `max`: each message as soon as the runner has handled the one before. The bot gets the same events
   * in the same order, but has no time to speak. Default `real`.
   */
  readonly speed?: "real" | "max";
  /** Hangs up when it aborts. */
  readonly signal?: AbortSignal;
  /** Called with each event, and its time since the start of the replay in ms. */
  onEvent?(event: ReplayEvent, atMs: number): void;
}

/** What the bot got from the caller, and the messages that it sent. Audio is not among it. */
export type ReplayEvent =
  | { readonly type: "started"; readonly transport: string; readonly body?: unknown; readonly callData?: CallData }
  | { readonly type: "connected" }
  | { readonly type: "message"; readonly message: unknown }
  | { readonly type: "key"; readonly key: string }
  | { readonly type: "disconnected"; readonly reason: CloseReason }
  | { readonly type: "error"; readonly message: string }
  /** The bot threw. */
  | { readonly type: "failed"; readonly message: string }
  /** A message of the bot to the caller's application. */
  | { readonly type: "sent"; readonly message: unknown }
  | { readonly type: "ended"; readonly reason: CloseReason };

/** What happened in a replay. */
export interface ReplayResult {
  readonly events: readonly ReplayEvent[];
  /** How the replay differs from the captured call, as sentences. */
  readonly notes: readonly string[];
}

/** A bot may load models before it creates its transport, or answers a request. */
const connectMs = 30_000;
/** How long the bot may take to end a call that it ended in the capture, in ms. */
const endMs = 5_000;
/** How long an interrupted replay waits for the answer that is due, and then for the end of the call, in ms. */
const interruptedMs = 1_000;
/** The host rejects callers with more than 2,000 messages per second, after a burst of 20,000. */
const messageRate = { perSecond: 1_900, burst: 15_000 };

/**
 * Replays a captured call against a bot, in a runner that only this machine can reach. Nothing is sent to a vendor: the runner has
 * neither a key nor tokens nor secrets of vendors, so it requires no signature, and cannot hang up calls.
 *
 * Rejects with the errors of `readCapture`, TRANSPORT_UNAVAILABLE when the call's transport is not in `plugins`, and with the error of
 * the runner when it rejects the call.
 */
export async function replay(file: string, options: ReplayOptions): Promise<ReplayResult> {
  const { bot, plugins = [], speed = "real", signal, onEvent, ...rest } = options;
  const call = await readCapture(file);
  const isOverSocket = call.events.some(({ type }) => type === "open");
  const standIn = isOverSocket ? undefined : createStandIn(call);
  const plugin = standIn?.plugin ?? plugins.find(({ name }) => name === call.plugin);
  if (!plugin) throw transportMissing(file, call.plugin);

  /** How long the runner may take to answer: longer than the slowest response in the capture. */
  const longestMs = call.events.reduce((ms, event) => (event.type === "http" ? Math.max(ms, event.durationMs) : ms), 0);
  const answerMs = connectMs + Math.ceil(longestMs);
  const beganAtMs = performance.now();
  const events: ReplayEvent[] = [];
  const notes: string[] = [];
  const progress = createProgress();
  const ids = [call.session];

  function happened(event: ReplayEvent): void {
    events.push(event);
    onEvent?.(event, performance.now() - beganAtMs);
  }

  const runner = createRunner({
    ...rest,
    ...{
      plugins: [plugin],
      host: "127.0.0.1",
      port: 0,
      env: {},
      bot: observed(bot, callDataOfPlaced(call), happened, progress.stop),
    },
    sessionIds: () => ids.shift() ?? crypto.randomUUID(),
    wire: {
      observe({ id }, event) {
        if (id !== call.session) return;
        progress.observe(event);
        // The runner answers some messages before the others who listen get them.
        if (event.type === "app" && event.from === "bot")
          queueMicrotask(() => happened({ type: "sent", message: event.message }));
        if (event.type === "state" && event.state === "ended") happened({ type: "ended", reason: event.reason });
      },
    },
  });
  try {
    await runner.listen();
    const caller = standIn?.caller ?? createWireCaller(runner.url, progress.handled);
    try {
      await play(call.events, caller);
      const closed = caller.close();
      if (signal?.aborted) await withTimeout(closed, interruptedMs);
      else await inTime("the end of the call", closed);
    } catch (error) {
      // It hangs up; what it still waits for ends with the runner, and the first error counts.
      caller.close().catch(() => undefined);
      throw error;
    }
    if (progress.has("pending")) await progress.reached("ended", endMs * 4, signal);
    if (signal?.aborted) notes.push("The replay was interrupted: the caller hung up.");
  } finally {
    await runner.close();
  }
  return { events, notes };

  async function play(recorded: readonly CaptureEvent[], caller: ReplayCaller): Promise<void> {
    const rate = createRateLimit(messageRate);
    for (const [index, event] of recorded.entries()) {
      if (event.type !== "state" && speed === "real") await waitUntil(beganAtMs + event.t);
      if (signal?.aborted) return;
      // The runner tells the caller first.
      if (progress.stopped.aborted) await progress.reached("ended", endMs);
      if (progress.has("ended")) {
        if (recorded.slice(index).some(isSaid)) notes.push("The bot ended the call earlier than in the capture.");
        return;
      }
      if (event.type === "state") {
        if ((await inTime(`event ${index + 1}`, caller.play(event))) && (await follow(event))) continue;
        return;
      }
      while (speed === "max" && !rate.take()) await sleep(10);
      if (!(await inTime(`event ${index + 1}, ${event.type}`, caller.play(event)))) return;
      if (speed === "max") await nextTurn();
    }
  }

  async function waitUntil(atMs: number): Promise<void> {
    const waitMs = atMs - performance.now();
    if (waitMs <= 0) return;
    const stop = signal ? AbortSignal.any([signal, progress.stopped]) : progress.stopped;
    await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined); // The event is not played.
  }

  /** Returns whether the runner has answered before `signal` aborts. Throws REPLAY_STUCK when it takes too long. */
  async function inTime(what: string, played: Promise<void>): Promise<boolean> {
    const limit = AbortSignal.timeout(answerMs);
    if (await withTimeout(played, signal ? AbortSignal.any([limit, signal]) : limit)) {
      await played;
      return true;
    }
    if (signal?.aborted) {
      await withTimeout(played, interruptedMs);
      return false;
    }
    throw new RunnerError(
      "REPLAY_STUCK",
      `The runner did not answer within ${Math.round(answerMs / 1_000)} s: ${what}.`,
      {
        fix: "Check that the bot and its transport answer what the caller sends.",
      },
    );
  }

  /** Waits until the session is as far as it was in the capture. Returns whether the call goes on. */
  async function follow(event: CaptureEvent & { readonly type: "state" }): Promise<boolean> {
    // It is pending with the request or socket that follows.
    if (event.state === "pending") return true;
    if (event.state !== "ended") {
      if (await progress.reached(event.state, connectMs, signal)) return true;
      if (signal?.aborted) return false;
      throw new RunnerError("REPLAY_STUCK", `The call did not become ${event.state} within ${connectMs / 1000} s.`, {
        fix: "Check that the bot creates its transport.",
      });
    }
    if (event.reason === "caller-left") return true;
    if (!(await progress.reached("ended", endMs, signal)) && !signal?.aborted) {
      notes.push(`The call ended with ${event.reason} in the capture. The bot did not end it: the caller hung up.`);
    }
    return false;
  }
}

type State = Extract<WireEvent, { type: "state" }>["state"];

/** How far the session of the replay is. */
function createProgress() {
  const states = new Map<State, PromiseWithResolvers<void>>();
  const reachedStates = new Set<State>();
  const stopped = new AbortController();
  let waiting: (() => void) | undefined;

  function stateOf(state: State): PromiseWithResolvers<void> {
    const known = states.get(state) ?? Promise.withResolvers<void>();
    states.set(state, known);
    return known;
  }

  return {
    /** Aborts when the session has ended, or its bot has failed. */
    stopped: stopped.signal,
    stop: () => stopped.abort(),
    has: (state: State) => reachedStates.has(state),
    observe(event: WireEvent): void {
      if (event.type === "message" && event.from === "caller") waiting?.();
      if (event.type !== "state") return;
      reachedStates.add(event.state);
      stateOf(event.state).resolve();
      if (event.state === "ended") {
        stopped.abort();
        waiting?.();
      }
    },
    /** Resolves with whether the state was reached within `ms` and before `stop` aborts, or the session has ended. */
    async reached(state: State, ms: number, stop?: AbortSignal): Promise<boolean> {
      const end = AbortSignal.any([AbortSignal.timeout(ms), ...(stop ? [stop] : [])]);
      return await withTimeout(Promise.race([stateOf(state).promise, stateOf("ended").promise]), end);
    },
    /** Sends a message, and resolves when the runner has handled it. */
    async handled(send: () => void, gone: Promise<unknown>): Promise<void> {
      // The host reports messages once it knows their session.
      if (!reachedStates.has("pending")) return send();
      const done = Promise.withResolvers<void>();
      waiting = done.resolve;
      send();
      await Promise.race([done.promise, gone]);
      waiting = undefined;
    },
  };
}

/** Whether the caller says something in this event, other than audio that is not in the file. */
function isSaid(event: CaptureEvent): boolean {
  if (event.type === "message") return event.from === "caller" && event.mediaBytes === undefined;
  return event.type === "key" || (event.type === "app" && event.from === "caller");
}

/** `callData` of a call that the runner placed: in a replay it places none, so the transport does not know it. */
function callDataOfPlaced({ events }: CapturedCall): CallData | undefined {
  const isPlaced = events.some((event) => event.type === "http" && isStart(event.url) && hasDial(event.body ?? ""));
  return isPlaced ? startedIn(events)?.callData : undefined;
}

/** The event with the arguments of the bot. */
function startedIn(events: readonly CaptureEvent[]) {
  return events.find((event) => event.type === "state" && event.state === "active");
}

/** The bot, and a listener for everything that its transport reports. `onFailed` is called when it throws. */
function observed(
  bot: Bot,
  placed: CallData | undefined,
  happened: (event: ReplayEvent) => void,
  onFailed: () => void,
): Bot {
  return async (own) => {
    const callOf = { ...(own as SessionArguments).callData, ...placed };
    const args = placed ? (Object.assign({ ...own }, { callData: callOf }) as RunnerArguments) : own;
    const { transport, body, callData } = args as SessionArguments;
    happened({ type: "started", transport, ...(body !== undefined && { body }), ...(callData && { callData }) });
    const { [connectKey]: connect } = args as unknown as { readonly [connectKey]: Connect };
    const listening: Connect = async (params) => {
      const connected = await connect(params);
      listen(connected, happened);
      return connected;
    };
    try {
      await bot(Object.assign({ ...args }, { [connectKey]: listening }));
    } catch (error) {
      if (!args.signal.aborted) {
        happened({ type: "failed", message: error instanceof Error ? error.message : String(error) });
        onFailed();
      }
      throw error;
    }
  };
}

function listen(transport: Transport, happened: (event: ReplayEvent) => void): void {
  const tap = { tap: true };
  transport.on("clientConnected", () => happened({ type: "connected" }), tap);
  transport.on("appMessage", (message) => happened({ type: "message", message: structuredClone(message) }), tap);
  transport.on("dtmf", (key) => happened({ type: "key", key }), tap);
  transport.on("clientDisconnected", (reason) => happened({ type: "disconnected", reason }), tap);
  transport.on("error", ({ message }) => happened({ type: "error", message }), tap);
}

/** Stands in for a transport whose media does not pass through the host: plays messages and keys, and is silent otherwise. */
function createStandIn({ transport, events }: CapturedCall): { plugin: TransportPlugin; caller: ReplayCaller } {
  const { callData, body = bodyOfStart(events) } = startedIn(events) ?? {};
  let begin: () => Call;
  let call: Call | undefined;
  const plugin: TransportPlugin = {
    apiVersion: 1,
    name: transport,
    open(context) {
      begin = () => {
        const session = context.createSession({ body });
        const begun = session.run<SessionArguments>({ ...(callData && { callData }) }, () => ({
          sampleRates: [24_000],
          frameMs: 20,
          send: () => undefined,
          sendMessage: async () => undefined,
          close: () => undefined,
        }));
        begun.connected();
        return begun;
      };
      return {};
    },
  };
  const caller: ReplayCaller = {
    async play(event) {
      call ??= begin();
      if (event.type === "app" && event.from === "caller") call.message(event.message);
      if (event.type === "key") call.dtmf(event.key);
    },
    async close() {
      call?.left();
    },
  };
  return { plugin, caller };
}

/** `body` of the start request: captures of older versions have no other. */
function bodyOfStart(events: readonly CaptureEvent[]): unknown {
  const request = events.find((event) => event.type === "http" && isStart(event.url));
  return request?.type === "http" ? Object(JSON.parse(request.body || "{}")).body : undefined;
}

function transportMissing(file: string, plugin: string): RunnerError {
  return new RunnerError("TRANSPORT_UNAVAILABLE", `${file} is a call over "${plugin}", which is not installed here.`, {
    fix: "Install the package of this transport in the bot's project. In a test, pass it in plugins.",
  });
}

import { AssertionError } from "node:assert";
import {
  type Bot,
  isRunnerError,
  type OpenTransport,
  type RunnerContext,
  type Session,
  type TransportPlugin,
  withTimeout,
} from "@pipecat-ts/runner-core";
import { type Answer, send } from "@pipecat-ts/runner-core/caller";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { FakeCaller, Invitation, TransportAdapter } from "./adapter.ts";
import { expect, until, within } from "./assertions.ts";
import type { ScriptedBot, ScriptedCall } from "./bots.ts";
import { createRecordingLogger, type RecordingLogger } from "./log.ts";
import type { UncaughtErrors } from "./uncaught-errors.ts";

/** One thing that every transport must do, as data: REQUIREMENTS.md lists it, and tests check it. */
export interface Requirement {
  /** Stable, for reports: `AUDIO-IN-1`. */
  readonly id: string;
  /** What must hold, as a sentence. */
  readonly title: string;
  /** Whom it affects when it does not hold. */
  readonly reason: string;
  /**
   * `"first"`: it takes seconds, so it begins before the others. `"alone"`: it reads what the whole process prints or throws, so only
   * long calls may run meanwhile. `"last"`: it counts what the process holds, so nothing may.
   */
  readonly turn?: "first" | "alone" | "last";
  /** Why it does not apply to this transport; `undefined` when it applies. */
  exempts?(adapter: TransportAdapter): string | undefined;
  /** Throws when it does not hold: an AssertionError that says what was found and what was expected, or any other error. */
  check(fixture: Fixture): Promise<void>;
}

/** How requirements are checked. */
export interface RunOptions {
  /** How long each expected event may take, in ms. Default 5,000. */
  readonly timeoutMs?: number;
  /** Checks one requirement at a time, for media that needs a whole processor. Default false. */
  readonly sequential?: boolean;
  /** The ids of the requirements to check in vitest, or how these ids begin. Default: all that apply. */
  readonly only?: readonly string[];
}

/** Creates runners and callers of one transport for one requirement, and releases them. */
export interface Fixture {
  readonly adapter: TransportAdapter;
  /** How long each expected event may take, in ms. */
  readonly timeoutMs: number;
  /** The log of its runners. */
  readonly logger: RecordingLogger;
  /** Uncaught errors. Those in a session of its runners end that session. */
  readonly uncaught: UncaughtErrors;
  /** A listening runner with the transport and its companions. */
  open(bot: Bot, options?: OpenOptions): Promise<Runner>;
  /** What the plugin returned and handed out in this runner. */
  observed(runner: Runner): Observed;
  /** Sends an HTTP request, with the API key if the runner has one. */
  request(runner: Runner, path: string, options?: Parameters<typeof send>[1]): Promise<Answer>;
  /** Sends a start request for this transport. */
  start(runner: Runner, fields?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Connects a caller, after a start request where the transport has one. `body` is the body of the start request. */
  call(runner: Runner, body?: unknown): Promise<FakeCaller>;
  /** Connects a caller with or without an invitation. The key is the runner's, unless it is given. */
  connect(runner: Runner, invitation?: Omit<Invitation, "url" | "listeners">): Promise<FakeCaller>;
  /** Drops a caller and forgets it. */
  release(caller: FakeCaller): void;
  /** Does `act` for each item: for four at the same time, or for one with `RunOptions.sequential`. */
  each<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void>;
  /** Waits until `condition` holds. Throws an AssertionError after `timeoutMs` + `extraMs`. */
  until(what: string, condition: () => boolean, extraMs?: number): Promise<void>;
  /** Waits for `promise`. Throws an AssertionError after `timeoutMs` + `extraMs`. */
  within<T>(what: string, promise: PromiseLike<T>, extraMs?: number): Promise<T>;
  /** Drops every caller and closes every runner. Rejects with the error of a caller that cannot be dropped. */
  close(): Promise<void>;
}

/** Options of the runner. `companionsFirst`: opens the companions before the transport under test. */
export type OpenOptions = Partial<RunnerOptions> & { readonly companionsFirst?: boolean };

/** What a plugin did in one runner. */
export interface Observed {
  readonly opened: OpenTransport[];
  /** Every credential that it got for a session, and every URL with one. */
  readonly credentials: { readonly value: string; readonly sessionId: string }[];
}

/** How many callers of an adapter did not connect in time. After three, no others are tried, so that a broken suite ends soon. */
const connectTimeouts = new WeakMap<TransportAdapter, number>();

/** Creates a fixture without runners and callers. */
export function createFixture(
  adapter: TransportAdapter,
  uncaught: UncaughtErrors,
  { timeoutMs = 5_000, sequential = false }: RunOptions,
): Fixture {
  const logger = createRecordingLogger();
  const runners = new Map<Runner, { readonly observed: Observed; readonly apiKey: string | undefined }>();
  const callers = new Set<FakeCaller>();
  let isClosed = false;

  const fixture: Fixture = {
    adapter,
    timeoutMs,
    logger,
    uncaught,
    async open(bot, { companionsFirst = false, ...given } = {}) {
      const options = { ...adapter.runner, ...given };
      const observed: Observed = { opened: [], credentials: [] };
      const { companions = [] } = adapter;
      const plugins = companions.map(({ plugin }) => plugin);
      const observedPlugin = observe(adapter.plugin, observed);
      const runner = (adapter.createRunner ?? createRunner)({
        bot,
        plugins: companionsFirst ? [...plugins, observedPlugin] : [observedPlugin, ...plugins],
        pluginOptions: Object.fromEntries(
          [adapter, ...companions].map((each) => [each.plugin.name, each.options ?? {}]),
        ),
        ...(adapter.selected ? { transport: adapter.plugin.name } : {}),
        host: "127.0.0.1",
        port: 0,
        env: {},
        ...options,
        logger: options.logger ?? logger,
      });
      runners.set(runner, { observed, apiKey: options.apiKey });
      uncaught.attribute(runner);
      await fixture.within("the runner listens", runner.listen());
      return runner;
    },
    observed(runner) {
      const found = runners.get(runner);
      expect(found !== undefined, "the runner is from another fixture");
      return found.observed;
    },
    request(runner, path, options = {}) {
      const key = runners.get(runner)?.apiKey;
      const headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
      const answer = send(new URL(path, runner.url), { headers, ...options });
      return fixture.within(`${options.method ?? "GET"} ${path} answers`, answer);
    },
    start(runner, fields = {}) {
      const body = { transport: adapter.plugin.name, ...adapter.start, ...fields };
      return fixture.request(runner, "/start", { method: "POST", body });
    },
    async call(runner, body) {
      if (adapter.start === false) return await fixture.connect(runner);
      const answer = await fixture.start(runner, body === undefined ? {} : { body });
      return await fixture.connect(runner, { start: invitationOf(answer) });
    },
    async connect(runner, invitation = {}) {
      const timeouts = () => connectTimeouts.get(adapter) ?? 0;
      expect(timeouts() < 3, "the caller connects: not tried, because three others did not connect in time");
      const listeners = listenersOf(fixture.observed(runner));
      const key = runners.get(runner)?.apiKey;
      const connecting = adapter.connect({ url: runner.url, listeners, key, ...invitation }).then((caller) => {
        callers.add(caller);
        if (isClosed) fixture.release(caller);
        return caller;
      });
      const isInTime = await withTimeout(connecting, timeoutMs);
      if (!isInTime) connectTimeouts.set(adapter, timeouts() + 1);
      expect(isInTime, `the caller connects: not within ${timeoutMs} ms`);
      return await connecting;
    },
    release(caller) {
      caller.drop();
      caller.playout.close();
      callers.delete(caller);
    },
    async each(items, act) {
      const size = sequential ? 1 : 4;
      for (let at = 0; at < items.length; at += size) await Promise.all(items.slice(at, at + size).map(act));
    },
    until: (what, condition, extraMs = 0) => until(what, condition, timeoutMs + extraMs),
    within: (what, promise, extraMs = 0) => within(what, promise, timeoutMs + extraMs),
    async close() {
      isClosed = true;
      const releasing = [...callers].map(async (caller) => fixture.release(caller));
      // The requirements about closing report a runner that does not close.
      const closing = [...runners.keys()].map((runner) => fixture.within("the runner closes", runner.close(), 2_000));
      await Promise.allSettled([...releasing, ...closing]);
      await Promise.all(releasing);
    },
  };
  return fixture;
}

/** The URLs of a plugin's own servers. */
export function listenersOf({ opened }: Observed): string[] {
  return opened.flatMap(({ advanced }) => advanced?.listeners ?? []);
}

function observe(plugin: TransportPlugin, observed: Observed): TransportPlugin {
  return {
    ...plugin,
    async open(runner, options) {
      const record = (session: Session, value: string) => observed.credentials.push({ value, sessionId: session.id });
      const context: RunnerContext = {
        ...runner,
        credential(session) {
          const value = runner.credential(session);
          record(session, value);
          return value;
        },
        socketUrl(session, path, request) {
          const url = runner.socketUrl(session, path, request);
          record(session, decodeURIComponent(url.pathname.split("/").at(-1) ?? ""));
          return url;
        },
      };
      const opened = await plugin.open(context, options);
      observed.opened.push(opened);
      return opened;
    },
  };
}

/** What the caller learns from an accepted start request. */
export function invitationOf(answer: Answer): NonNullable<Invitation["start"]> {
  expect(answer.status === 200, `POST /start answered ${answer.status} ${answer.text}`);
  const sessionId = answer.headers["x-session-id"];
  expect(typeof sessionId === "string", `POST /start sent the header X-Session-Id ${JSON.stringify(sessionId)}`);
  expect(
    typeof answer.json === "object" && answer.json !== null,
    `POST /start did not answer with a JSON object: ${answer.text}`,
  );
  return { sessionId, reply: answer.json as Readonly<Record<string, unknown>> };
}

/** The bot's first call; waits until its transport exists. */
export async function firstCall(fixture: Fixture, scripted: ScriptedBot): Promise<ScriptedCall> {
  await fixture.until("the bot's transport exists", () => scripted.calls.length > 0);
  const [call] = scripted.calls;
  expect(call !== undefined, "the bot has no call");
  return call;
}

/** The only session of a runner. */
export function onlySession(runner: Runner): Session {
  const [session, ...others] = runner.sessions;
  expect(session !== undefined && others.length === 0, `the runner has ${others.length + (session ? 1 : 0)} sessions`);
  return session;
}

/** Waits until the runner has no session, pending or active. */
export async function allEnded(fixture: Fixture, runner: Runner): Promise<void> {
  const isEmpty = () => runner.sessions.counts.pending + runner.sessions.counts.active === 0;
  await fixture.until("every session ends", isEmpty, lossNoticedMs(fixture.adapter)).catch((error: unknown) => {
    const counts = JSON.stringify(runner.sessions.counts);
    throw new AssertionError({ message: `${error instanceof Error ? error.message : error}; left: ${counts}` });
  });
}

/** Throws an AssertionError unless the caller is refused, or disconnected soon. */
export async function expectRefused(fixture: Fixture, connecting: Promise<FakeCaller>): Promise<string> {
  try {
    const caller = await connecting;
    await fixture.within("the caller is refused", caller.closed);
    return "";
  } catch (error) {
    if (error instanceof AssertionError) throw error;
    return String(error);
  }
}

/** `TransportAdapter.walkIn`, with its default. */
export function walkInOf({ start, walkIn = start === false }: TransportAdapter): boolean | "verified" {
  return walkIn;
}

/** How long the end of a call may stay undetected, in ms, in addition to the fixture's timeout. */
export function lossNoticedMs({ lossNoticedMs = 2_000 }: TransportAdapter): number {
  return lossNoticedMs;
}

/** `error` as text, with code and fix. */
export function explain(error: unknown): string {
  if (error instanceof AssertionError) return error.message;
  if (isRunnerError(error)) return [error.code, error.message, error.fix].filter(Boolean).join(" ");
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

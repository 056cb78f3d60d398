import { type Bot, isRunnerError } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import type { FakeCaller, Invitation, TransportAdapter } from "./adapter.ts";
import { type Answer, send } from "./http.ts";
import { createRecordingLogger, type RecordingLogger } from "./log.ts";
import { until, within } from "./patience.ts";
import type { StrayErrors } from "./stray-errors.ts";
import { expect } from "./unmet.ts";

/** Where one requirement is tried: makes real runners and callers of one transport, and clears away what it made. */
export interface Stage {
  readonly adapter: TransportAdapter;
  /** How long what must happen may take, in ms. */
  readonly patienceMs: number;
  /** What its runners logged. */
  readonly logger: RecordingLogger;
  /** Looks after what nobody caught. Its runners' sessions are charged with theirs. */
  readonly strays: StrayErrors;
  /** A listening runner with the transport and its companions. */
  open(bot: Bot, options?: Partial<RunnerOptions>): Promise<Runner>;
  /** Sends `POST /start` for this transport; the answer as it is. */
  start(runner: Runner, fields?: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Has one caller come in, by a start request where the transport has one. `body` is that of the start request. */
  call(runner: Runner, body?: unknown): Promise<FakeCaller>;
  /** Has a caller come in who was invited, or, without an invitation, one who just comes. */
  connect(runner: Runner, invitation?: Invitation["start"]): Promise<FakeCaller>;
  /** Waits until `condition` holds; Unmet after `patienceMs` + `extraMs`. */
  until(what: string, condition: () => boolean, extraMs?: number): Promise<void>;
  /** Waits for `promise`; Unmet after `patienceMs` + `extraMs`. */
  within<T>(what: string, promise: PromiseLike<T>, extraMs?: number): Promise<T>;
  /** Drops every caller and closes every runner. */
  close(): Promise<void>;
}

/** An empty stage. */
export function createStage(adapter: TransportAdapter, strays: StrayErrors, patienceMs: number): Stage {
  const logger = createRecordingLogger();
  const runners: Runner[] = [];
  const callers: FakeCaller[] = [];

  const stage: Stage = {
    adapter,
    patienceMs,
    logger,
    strays,
    async open(bot, given = {}) {
      const transports = [adapter, ...(adapter.companions ?? [])];
      const runner = createRunner({
        bot,
        plugins: transports.map(({ plugin }) => plugin),
        pluginOptions: Object.fromEntries(transports.map(({ plugin, options = {} }) => [plugin.name, options])),
        ...(adapter.selected ? { transport: adapter.plugin.name } : {}),
        host: "127.0.0.1",
        port: 0,
        logger,
        env: {},
        ...given,
      });
      runners.push(runner);
      strays.attribute(runner);
      await stage.within("the runner listens", runner.listen());
      return runner;
    },
    start(runner, fields = {}) {
      const body = { transport: adapter.plugin.name, ...adapter.start, ...fields };
      const answer = send(new URL("/start", runner.url), { method: "POST", body });
      return stage.within("POST /start answers", answer);
    },
    async call(runner, body) {
      if (adapter.start === false) return await stage.connect(runner);
      const answer = await stage.start(runner, body === undefined ? {} : { body });
      return await stage.connect(runner, invitationOf(answer));
    },
    async connect(runner, invitation) {
      const connecting = adapter.connect({ url: runner.url, ...(invitation ? { start: invitation } : {}) });
      const kept = connecting.then((caller) => {
        callers.push(caller);
        return caller;
      });
      return await stage.within("the caller comes in", kept);
    },
    until: (what, condition, extraMs = 0) => until(what, condition, patienceMs + extraMs),
    within: (what, promise, extraMs = 0) => within(what, promise, patienceMs + extraMs),
    async close() {
      for (const caller of callers) {
        caller.drop();
        caller.speaker.close();
      }
      // A runner that does not close is the business of the requirements about closing.
      const closing = runners.map((runner) => within("the runner closes", runner.close(), patienceMs + 2_000));
      await Promise.allSettled(closing);
    },
  };
  return stage;
}

/** What the caller learns of a start request that was granted. */
export function invitationOf(answer: Answer): NonNullable<Invitation["start"]> {
  expect(answer.status === 200, `POST /start answered ${answer.status} ${answer.text}`);
  const sessionId = answer.headers["x-session-id"];
  expect(typeof sessionId === "string", `POST /start sent X-Session-Id ${JSON.stringify(sessionId)}`);
  expect(
    typeof answer.json === "object" && answer.json !== null,
    `POST /start answered no JSON object: ${answer.text}`,
  );
  return { sessionId, reply: answer.json as Readonly<Record<string, unknown>> };
}

/** `runner.listen()` fails where the plugin cannot run: in words, with the fix. */
export function explain(error: unknown): string {
  if (isRunnerError(error)) return [error.code, error.message, error.fix].filter(Boolean).join(" ");
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

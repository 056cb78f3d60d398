import { clientRoot } from "@pipecat-ts/browser-client";
import type { Bot, TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";

/** What a page and the runner can talk over. */
export type JourneyTransport = "webrtc" | "websocket";

const plugins: Readonly<Record<JourneyTransport, TransportPlugin>> = { webrtc, websocket };

/** A runner that serves the web client and takes callers by one transport, on a port of its own. */
export interface RunningRunner {
  readonly runner: Runner;
  readonly origin: string;
  readonly logger: RecordingLogger;
}

/** Starts a runner; `prepare` adds routes of the user's own before it listens. */
export async function startRunner(
  transport: JourneyTransport,
  bot: Bot,
  options: Partial<RunnerOptions> = {},
  prepare: (runner: Runner) => void = () => undefined,
): Promise<RunningRunner> {
  const logger = createRecordingLogger();
  const runner = createRunner({
    bot,
    plugins: [plugins[transport]],
    host: "127.0.0.1",
    port: 0,
    clientRoot,
    logger,
    env: {},
    ...options,
  });
  prepare(runner);
  await runner.listen();
  return { runner, origin: runner.url.origin, logger };
}

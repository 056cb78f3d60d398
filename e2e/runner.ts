import { clientRoot } from "@pipecat-ts/browser-client";
import type { Bot, TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import { createRecordingLogger, type RecordingLogger } from "@pipecat-ts/runner-testing";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";

/** The transports of web pages. */
export type WebTransport = "webrtc" | "websocket";

const plugins: Readonly<Record<WebTransport, TransportPlugin>> = { webrtc, websocket };

/** A listening runner in this process. */
export interface RunningRunner {
  readonly runner: Runner;
  readonly origin: string;
  readonly logger: RecordingLogger;
}

/** Starts a runner with one transport and the web client, on a free port. `prepare` may add routes before it listens. */
export async function startRunner(
  transport: WebTransport,
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

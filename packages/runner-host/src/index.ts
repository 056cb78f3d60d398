export type { AccessOptions } from "./access-options.ts";
export { createRunner } from "./create-runner.ts";
export { createLogger, type LoggerOptions } from "./logging.ts";
export type { Runner, RunnerOptions, Sessions, TransportReport } from "./runner.ts";
export { parsePublicUrl, type RunnerFlags, runnerFlags, runnerOptionsFrom } from "./runner-settings.ts";
export type { WebSocketAuth } from "./socket-access.ts";

export { createRunner } from "./create-runner.ts";
export { type CountingLogger, createLogger, type LoggerOptions } from "./logging.ts";
export { type RunnerFlags, runnerFlags, runnerOptionsFrom } from "./options.ts";
export { parsePublicUrl } from "./public-url.ts";
export type { AccessOptions, Runner, RunnerOptions, Sessions, TransportReport } from "./runner.ts";

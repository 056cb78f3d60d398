export { createRunner } from "./create-runner.ts";
export { placesIn } from "./explain-error.ts";
export { createFront, type Front, type FrontHandlers, type FrontListeners } from "./front.ts";
export { type CountingLogger, createLogger, type LoggerOptions, type RunnerLogger } from "./logging.ts";
export { aggregateMetrics, countersOf, type MetricValues, sumMetrics } from "./metrics.ts";
export { type RunnerFlags, resolveRunnerFlags, runnerFlags, runnerOptionsFrom } from "./options.ts";
export { parsePublicUrl } from "./public-url.ts";
export type { AccessOptions, Runner, RunnerOptions, Sessions, TransportReport } from "./runner.ts";
export type { HttpServer } from "./server.ts";

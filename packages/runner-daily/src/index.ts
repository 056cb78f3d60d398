export type { DailyDialinRequest, DailyParams, DailyRunnerArguments } from "./arguments.ts";
export { type ConfigureDailyOptions, configureDaily, type DailyConfiguration } from "./rooms/configure.ts";
export { type DailyAnswer, DailyError } from "./rooms/daily-error.ts";
export {
  createDailyRest,
  type DailyRest,
  type DailyRestOptions,
  type DailyRoom,
  type PinlessCall,
} from "./rooms/rest.ts";

export type { Runner, RunnerOptions, Sessions, TransportReport } from "./runner.ts";

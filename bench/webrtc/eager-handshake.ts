/**
 * Import it before the engine, in callers' processes: an engine that calls waits 100 ms before its first handshake message,
 * which browsers do not, and which would count as the runner's.
 */
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";

const wait = timers.setTimeout;
timers.setTimeout = ((delayMs?: number, ...rest: []) => wait(delayMs === 100 ? 0 : delayMs, ...rest)) as typeof wait;
syncBuiltinESMExports();

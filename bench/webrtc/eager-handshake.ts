/**
 * Import this before werift in callers' processes. As a caller, werift waits 100 ms before its first handshake message, unlike
 * browsers, and the wait would count as the runner's.
 */
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";

const wait = timers.setTimeout;
timers.setTimeout = ((delayMs?: number, ...rest: []) => wait(delayMs === 100 ? 0 : delayMs, ...rest)) as typeof wait;
syncBuiltinESMExports();

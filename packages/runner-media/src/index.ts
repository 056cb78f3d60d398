export { type Clock, systemClock } from "./clock.ts";
export type { Lateness } from "./lateness.ts";
export type { MediaCounters } from "./losses.ts";
export { createMediaTransport, type MediaTransport, type MediaTransportOptions } from "./media-transport.ts";
export { inOwnScope } from "./own-scope.ts";
export { createPacer, type Pacer } from "./pacer.ts";
export type { Caller, MediaPort } from "./port.ts";
export { createReception, type Reception } from "./reception.ts";

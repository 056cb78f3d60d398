export { type Clock, systemClock } from "./clock.ts";
export { createMediaTransport, type MediaTransportOptions } from "./media-transport.ts";
export { createPacer, type Pacer } from "./pacer.ts";
export type { Caller, MediaPort } from "./port.ts";

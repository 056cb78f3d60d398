export { bindScope } from "./bind-scope.ts";
export { type BufferedCall, createBufferedCall } from "./call.ts";
export type { MediaCounters } from "./counters.ts";
export { estimateBytes } from "./estimate-bytes.ts";
export type { LagHistogram } from "./lag-histogram.ts";
export { checkParams, createMedia, type Media, type MediaOptions, wireCloseMs } from "./media-transport.ts";
export { createPacer, type MeasuredPacer, type PacerOptions } from "./pacer.ts";
export { createStandaloneCall, createStandaloneTransport, type StandaloneOptions } from "./standalone.ts";

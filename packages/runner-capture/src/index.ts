export { type CaptureOptions, createCapture } from "./capture.ts";
export type { CapturedMessage, CaptureEvent, CaptureHeader } from "./format.ts";
export { type CapturedCall, readCapture } from "./read.ts";
export { type ReplayEvent, type ReplayOptions, type ReplayResult, replay } from "./replay.ts";

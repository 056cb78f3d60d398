export { type Chunker, createChunker } from "./chunker.ts";
export { type AudioFrame, durationMs } from "./frame.ts";
export { alawSilence, decodeAlaw, decodeMulaw, encodeAlaw, encodeMulaw, mulawSilence } from "./g711.ts";
export { mixToMono } from "./mono.ts";
export { decodePcm16, encodePcm16 } from "./pcm.ts";
export { createResampler, type Resampler, type ResamplerOptions } from "./resampler.ts";
export { encodeWav, parseWav } from "./wav.ts";

export { type Chunker, createChunker } from "./chunker.ts";
export {
  alawSilence,
  decodeAlaw,
  decodeMulaw,
  decodePcm16,
  encodeAlaw,
  encodeMulaw,
  encodePcm16,
  mulawSilence,
} from "./codec.ts";
export { type AudioFrame, durationMs, mixToMono } from "./frame.ts";
export {
  findGaps,
  findSound,
  findVoice,
  type Gap,
  type Match,
  measureLevel,
  measurePitch,
  measureTone,
} from "./measure.ts";
export { createMixer, type Mixer } from "./mixer.ts";
export { createResampler, type Resampler, type ResamplerOptions, resample } from "./resampler.ts";
export { cut, excerpt, join, type SignalOptions, silence, sweep, syllables, tone } from "./signal.ts";
export { encodeWav, parseWav, wavHeader } from "./wav.ts";

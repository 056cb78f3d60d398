import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { parentPort } from "node:worker_threads";
import { env, InferenceSession, Tensor } from "onnxruntime-web/wasm";

// The worker thread of voice-detector.ts. It runs Silero VAD version 5 (https://github.com/snakers4/silero-vad), which gives the
// probability of speech for each 512 samples (32 ms) from these, the 64 samples before them, and its state.

const sampleRate = 16_000n;
const windowSamples = 512;
const contextSamples = 64;

const speechProbability = 0.5;
const silenceProbability = 0.35;
/** Speech begins after 3 windows (96 ms) of speech, and ends after 16 windows (512 ms) of silence. */
const startWindows = 3;
const stopWindows = 16;

/** Audio of a call; without audio, the call has ended. */
export interface VoiceRequest {
  readonly call: number;
  readonly samples?: Int16Array;
}

/** The answer to each audio. */
export interface VoiceReply {
  readonly call: number;
  readonly change: VoiceChange | undefined;
}

export type VoiceChange = "started" | "stopped";

env.wasm.numThreads = 1; // more threads would compete with the calls
const file = createRequire(import.meta.url).resolve("@ricky0123/vad-web/dist/silero_vad_v5.onnx");
const model = await InferenceSession.create(readFileSync(file));
const rate = new Tensor("int64", BigInt64Array.of(sampleRate));

function createDetector() {
  const input = new Float32Array(contextSamples + windowSamples);
  let state = new Tensor("float32", new Float32Array(2 * 128), [2, 1, 128]);
  let filled = contextSamples;
  let speaking = false;
  /** How many windows in a row differ from the present state. */
  let windows = 0;

  async function judge(): Promise<VoiceChange | undefined> {
    const feeds = { input: new Tensor("float32", input.slice(), [1, input.length]), state, sr: rate };
    const { output, stateN } = await model.run(feeds);
    state = stateN as typeof state;
    const probability = Number(output?.data[0]);
    const differs = speaking ? probability < silenceProbability : probability > speechProbability;
    windows = differs ? windows + 1 : 0;
    if (windows < (speaking ? stopWindows : startWindows)) return undefined;
    windows = 0;
    speaking = !speaking;
    return speaking ? "started" : "stopped";
  }

  return async (samples: Int16Array): Promise<VoiceChange | undefined> => {
    let change: VoiceChange | undefined;
    for (const sample of samples) {
      input[filled++] = sample / 32_768;
      if (filled < input.length) continue;
      change = (await judge()) ?? change;
      input.copyWithin(0, windowSamples);
      filled = contextSamples;
    }
    return change;
  };
}

const detectors = new Map<number, ReturnType<typeof createDetector>>();
/** One after the other, because the model runs once at a time. */
let queue: Promise<unknown> = createDetector()(new Int16Array(windowSamples)); // the first run compiles
await queue;

parentPort?.on("message", ({ call, samples }: VoiceRequest) => {
  queue = queue.then(async () => {
    if (!samples) return void detectors.delete(call);
    const detect = detectors.get(call) ?? createDetector();
    detectors.set(call, detect);
    const reply: VoiceReply = { call, change: await detect(samples) };
    parentPort?.postMessage(reply);
  });
});
parentPort?.postMessage("ready");

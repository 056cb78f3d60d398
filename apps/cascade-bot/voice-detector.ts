import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { VoiceChange, VoiceReply, VoiceRequest } from "./voice-worker.ts";

/** The detector takes PCM at this rate, in Hz. */
export const sampleRate = 16_000;

/** Finds where the caller begins and ends to speak. */
export interface VoiceDetector {
  /** Adds audio, and resolves with what changed. Rejects when the thread has ended. Await it before the next call. */
  push(samples: Int16Array): Promise<VoiceChange | undefined>;
  /** Ends the detector. A pending `push` resolves with no change. */
  close(): void;
}

/** One thread for all calls, so that it delays the audio of none. Each call needs about a tenth of a core. */
let starting: Promise<Worker> | undefined;
let calls = 0;

/** Starts the thread, which takes a second. Later calls use the same one, or a new one if it has failed. */
export function startVoiceWorker(): Promise<Worker> {
  starting ??= (async () => {
    const worker = new Worker(new URL("./voice-worker.ts", import.meta.url));
    worker.unref();
    worker.setMaxListeners(0);
    worker.on("error", () => undefined); // "exit" follows
    worker.once("exit", () => {
      starting = undefined;
    });
    await once(worker, "message");
    return worker;
  })();
  return starting;
}

/** A detector for one call. */
export async function createVoiceDetector(): Promise<VoiceDetector> {
  const worker = await startVoiceWorker();
  const call = ++calls;
  let waiting: PromiseWithResolvers<VoiceChange | undefined> | undefined;
  let hasEnded = false;
  const receive = (reply: VoiceReply) => {
    if (reply.call === call) waiting?.resolve(reply.change);
  };
  const fail = () => {
    hasEnded = true;
    waiting?.reject(new Error("The thread of the voice detector has ended."));
  };
  worker.on("message", receive);
  worker.on("exit", fail);

  return {
    push(samples) {
      waiting = Promise.withResolvers();
      if (hasEnded) fail();
      else worker.postMessage({ call, samples } satisfies VoiceRequest);
      return waiting.promise;
    },
    close() {
      worker.off("message", receive);
      worker.off("exit", fail);
      worker.postMessage({ call } satisfies VoiceRequest);
      waiting?.resolve(undefined);
    },
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import type { AudioFrame } from "@pipecat-ts/audio";
import type { Caller } from "./caller.ts";

/** The microphone of a simulated caller. It sends audio without a pause, like a browser or a phone: speech, otherwise silence. */
export interface Microphone {
  /** Says mono audio in real time, behind what is said already. Resolves when it was said, or when the microphone is closed. */
  say(audio: AudioFrame): Promise<void>;
  close(): void;
}

const frameMs = 20;

/**
 * Opens a microphone. `send` gets a frame of 20 ms every 20 ms: silence at `sampleRate`, speech at its own rate. The microphone keeps
 * the process running only while it says something.
 */
export function openMicrophone(sampleRate: number, send: (frame: AudioFrame) => void): Microphone {
  const queue: { readonly frame: AudioFrame; readonly said?: () => void }[] = [];
  const silence: AudioFrame = { samples: new Int16Array((sampleRate * frameMs) / 1000), sampleRate, channels: 1 };
  const startedAt = performance.now();
  let sent = 0;
  let closed = false;
  const timer = setInterval(() => {
    for (; performance.now() >= startedAt + sent * frameMs; sent++) {
      const { frame, said } = queue.shift() ?? { frame: silence };
      send(frame);
      said?.();
    }
    if (queue.length === 0) timer.unref();
  }, frameMs / 2).unref();

  return {
    say(audio) {
      const frames = framesOf(audio);
      const last = frames.pop();
      if (closed || !last) return Promise.resolve();
      timer.ref();
      return new Promise((resolve) => {
        for (const frame of frames) queue.push({ frame });
        queue.push({ frame: last, said: resolve });
      });
    },
    close() {
      closed = true;
      clearInterval(timer);
      for (const { said } of queue.splice(0)) said?.();
    },
  };
}

/**
 * Says mono audio in real time, in frames of 20 ms, and then sends nothing. Its rate must be the caller's. On a busy machine the
 * speech takes longer: late frames are not sent all at once. Resolves with the largest delay in ms, by which a listener that plays
 * frames as they arrive may hear the speech stretched.
 */
export async function speak(caller: Pick<Caller, "sendAudio">, audio: AudioFrame): Promise<number> {
  let dueMs = performance.now();
  let worstMs = 0;
  for (const frame of framesOf(audio)) {
    const aheadMs = dueMs - performance.now();
    if (aheadMs > 0) await sleep(aheadMs);
    worstMs = Math.max(worstMs, performance.now() - dueMs);
    caller.sendAudio(frame);
    dueMs = Math.max(dueMs, performance.now() - 60) + frameMs;
  }
  return worstMs;
}

/** Frames of 20 ms. The last one is padded with silence. */
function framesOf({ samples, ...format }: AudioFrame): AudioFrame[] {
  const size = Math.round((format.sampleRate * frameMs) / 1000);
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, index) => {
    const padded = new Int16Array(size);
    padded.set(samples.subarray(index * size, (index + 1) * size));
    return { ...format, samples: padded };
  });
}

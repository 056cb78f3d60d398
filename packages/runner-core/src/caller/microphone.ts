import type { AudioFrame } from "@pipecat-ts/audio";

/** The microphone of a simulated caller. It sends audio without a pause, like a browser or a phone: speech, otherwise silence. */
export interface Microphone {
  /** Says mono audio in real time, behind what is said already. Resolves when it was said, or when the microphone is closed. */
  say(audio: AudioFrame): Promise<void>;
  close(): void;
}

const frameMs = 20;

/** Opens a microphone. `send` gets a frame of 20 ms every 20 ms: silence at `sampleRate`, speech at its own rate. */
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
  }, frameMs / 2);

  return {
    say({ samples, ...format }) {
      if (closed || samples.length === 0) return Promise.resolve();
      const size = Math.round((format.sampleRate * frameMs) / 1000);
      return new Promise((resolve) => {
        for (let offset = 0; offset < samples.length; offset += size) {
          const padded = new Int16Array(size);
          padded.set(samples.subarray(offset, offset + size));
          const isLast = offset + size >= samples.length;
          queue.push({ frame: { ...format, samples: padded }, ...(isLast && { said: resolve }) });
        }
      });
    },
    close() {
      closed = true;
      clearInterval(timer);
      for (const { said } of queue.splice(0)) said?.();
    },
  };
}

import { expect, test, vi } from "vitest";
import type { loadSdk } from "./rtc-client.ts";
import { createRtcMicrophone } from "./rtc-microphone.ts";

/** The parts of the SDK that microphones use. `captured` resolves when the test says that the native part has the audio. */
function createFakeSdk() {
  const { promise: capturing, resolve: captured } = Promise.withResolvers<void>();
  const calls: string[] = [];
  class Handle {
    async close() {
      calls.push(`close ${this.constructor.name}`);
    }
  }
  const frames: number[][] = [];
  class Source extends Handle {
    async captureFrame({ samples }: Frame) {
      calls.push("capture");
      frames.push([...samples]);
      await capturing;
    }
    clearQueue() {
      calls.push("clear");
    }
  }
  class Track extends Handle {
    static createAudioTrack = () => new Track();
  }
  class Frame {
    readonly samples: Int16Array;
    constructor(samples: Int16Array) {
      this.samples = samples;
    }
  }
  const sdk = { AudioSource: Source, LocalAudioTrack: Track, AudioFrame: Frame };
  return { sdk: sdk as unknown as ReturnType<typeof loadSdk>, calls, frames, captured };
}

test("the queue is cleared when it has all audio, and before it is released", async () => {
  const { sdk, calls, captured } = createFakeSdk();
  const microphone = createRtcMicrophone(sdk, "microphone", 16_000);
  microphone.send(new Int16Array(320));
  const closing = microphone.close();
  await vi.waitFor(() => expect(calls).toEqual(["capture"]));
  captured();
  await closing;
  expect(calls).toEqual(["capture", "clear", "close Track", "close Source"]);
});

test("a closed microphone takes nothing", async () => {
  const { sdk, calls } = createFakeSdk();
  const microphone = createRtcMicrophone(sdk, "microphone", 16_000);
  await microphone.close();
  calls.length = 0;
  microphone.send(new Int16Array(320));
  microphone.clear();
  await microphone.close();
  expect(calls).toEqual([]);
});

test("audio waits while the native part is late, and is sent complete and in order, up to 1 s", async () => {
  const { sdk, frames, captured } = createFakeSdk();
  const microphone = createRtcMicrophone(sdk, "microphone", 50);
  const sent = Array.from({ length: 70 }, (_, index) => index);
  for (const each of sent) microphone.send(Int16Array.of(each));
  expect(frames).toEqual([[0], [1], [2]]);
  captured();
  await vi.waitFor(() => expect(frames).toHaveLength(4));
  // 50 samples are 1 s.
  expect(frames[3]).toEqual(sent.slice(3, 53));
  microphone.send(Int16Array.of(70));
  await vi.waitFor(() => expect(frames[4]).toEqual([70]));
});

test("clearing drops the audio that waits", async () => {
  const { sdk, frames, captured } = createFakeSdk();
  const microphone = createRtcMicrophone(sdk, "microphone", 50);
  for (const each of [0, 1, 2, 3, 4]) microphone.send(Int16Array.of(each));
  microphone.clear();
  captured();
  microphone.send(Int16Array.of(5));
  await vi.waitFor(() => expect(frames.at(-1)).toEqual([5]));
  expect(frames.flat()).toEqual([0, 1, 2, 5]);
});

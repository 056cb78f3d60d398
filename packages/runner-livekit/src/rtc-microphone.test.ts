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
  class Source extends Handle {
    async captureFrame() {
      calls.push("capture");
      await capturing;
    }
    clearQueue() {
      calls.push("clear");
    }
  }
  class Track extends Handle {
    static createAudioTrack = () => new Track();
  }
  const sdk = { AudioSource: Source, LocalAudioTrack: Track, AudioFrame: class {} };
  return { sdk: sdk as unknown as ReturnType<typeof loadSdk>, calls, captured };
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

import type { PipecatClientOptions } from "@pipecat-ai/client-js";
import { beforeEach, expect, test, vi } from "vitest";
import { type FakeMicrophones, fakeMicrophones } from "../test/fake-microphones.ts";
import { CallMedia } from "./call-media.ts";

let microphones: FakeMicrophones;
let media: CallMedia;
let carried: MediaStreamTrack | undefined;
const closedLines = vi.fn(async () => undefined);
const callbacks = { onDeviceError: vi.fn(), onTrackStarted: vi.fn(), onTrackStopped: vi.fn(), onMicUpdated: vi.fn() };
const ignore = () => undefined;

beforeEach(() => {
  vi.clearAllMocks();
  vi.stubGlobal("AudioContext", class {}); // what it is extended from asks for one
  microphones = fakeMicrophones();
  carried = undefined;
  media = new CallMedia(async () => ({
    async carry(microphone) {
      carried = microphone;
      return async () => {
        carried = undefined;
      };
    },
    play: ignore,
    clear: ignore,
    close: closedLines,
  }));
  media.setClientOptions({ callbacks } as unknown as PipecatClientOptions);
});

const open = () => microphones.opened.filter(({ readyState }) => readyState === "live");

test("every call of a page opens its own microphone, and nothing is open between them", async () => {
  for (const call of [1, 2, 3]) {
    await media.initialize();
    await media.connect();
    expect(open()).toHaveLength(1);
    expect(carried).toBe(open()[0]);
    expect(media.tracks().local.audio).toBe(carried);
    await media.disconnect();
    expect(open()).toEqual([]);
    expect(media.tracks().local).toEqual({});
    expect(closedLines).toHaveBeenCalledTimes(call);
  }
  expect(callbacks.onTrackStarted).toHaveBeenCalledTimes(3);
  expect(callbacks.onTrackStopped).toHaveBeenCalledTimes(3);
});

test("a microphone that is refused is told, and the call goes on without", async () => {
  microphones.refuse(new DOMException("Permission denied", "NotAllowedError"));
  await media.connect();
  expect(callbacks.onDeviceError).toHaveBeenCalledWith(
    expect.objectContaining({ devices: ["mic"], type: "permissions" }),
  );
  expect(media.tracks().local).toEqual({});
  microphones.refuse(undefined);
  await media.updateMic("headset");
  expect(carried).toBe(open()[0]);
});

test("of two microphones chosen one after the other the last is heard, muted when the first was", async () => {
  await media.connect();
  await media.enableMic(false);
  await Promise.all([media.updateMic("headset"), media.updateMic("built-in")]);
  expect(open()).toMatchObject([{ deviceId: "built-in", enabled: false }]);
  expect(carried).toBe(open()[0]);
  expect(callbacks.onMicUpdated).toHaveBeenLastCalledWith(expect.objectContaining({ deviceId: "built-in" }));
});

test("a microphone that is unplugged is replaced by the browser's default", async () => {
  await media.updateMic("headset");
  await media.connect();
  microphones.opened[0]?.stop();
  microphones.opened[0]?.dispatchEvent(new Event("ended"));
  await vi.waitFor(() => expect(open()).toMatchObject([{ deviceId: "built-in" }]));
});

test("a microphone that was chosen and is gone is replaced by the browser's default", async () => {
  await media.updateMic("left in the train");
  await media.connect();
  expect(open()).toMatchObject([{ deviceId: "built-in" }]);
  expect(callbacks.onDeviceError).not.toHaveBeenCalled();
});

test("a microphone that is granted after the call is over is closed again", async () => {
  const connecting = media.connect();
  await Promise.resolve();
  await media.disconnect();
  await connecting;
  expect(open()).toEqual([]);
});

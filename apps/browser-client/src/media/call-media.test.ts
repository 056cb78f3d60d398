import type { PipecatClientOptions } from "@pipecat-ai/client-js";
import { beforeEach, expect, test, vi } from "vitest";
import { type FakeMicrophones, FakeTrack, fakeMicrophones } from "../test/fake-microphones.ts";
import { CallMedia } from "./call-media.ts";

let microphones: FakeMicrophones;
let media: CallMedia;
let attached: MediaStreamTrack | undefined;
const closeAudio = vi.fn(async () => undefined);
const callbacks = { onDeviceError: vi.fn(), onTrackStarted: vi.fn(), onTrackStopped: vi.fn(), onMicUpdated: vi.fn() };
const ignore = () => undefined;

beforeEach(() => {
  vi.clearAllMocks();
  vi.stubGlobal("AudioContext", class {}); // the base class creates one
  microphones = fakeMicrophones();
  attached = undefined;
  media = new CallMedia(async () => ({
    async attach(microphone) {
      attached = microphone;
      return async () => {
        attached = undefined;
      };
    },
    play: ignore,
    clear: ignore,
    close: closeAudio,
  }));
  media.setClientOptions({ callbacks } as unknown as PipecatClientOptions);
});

const open = () => microphones.opened.filter(({ readyState }) => readyState === "live");

test("every call opens its own microphone and closes it at the end", async () => {
  for (const call of [1, 2, 3]) {
    await media.initialize();
    await media.connect();
    expect(open()).toHaveLength(1);
    expect(attached).toBe(open()[0]);
    expect(media.tracks().local.audio).toBe(attached);
    await media.disconnect();
    expect(open()).toEqual([]);
    expect(media.tracks().local).toEqual({});
    expect(closeAudio).toHaveBeenCalledTimes(call);
  }
  expect(callbacks.onTrackStarted).toHaveBeenCalledTimes(3);
  expect(callbacks.onTrackStopped).toHaveBeenCalledTimes(3);
});

test("a denied microphone is reported, and the call continues without it", async () => {
  microphones.failWith(new DOMException("Permission denied", "NotAllowedError"));
  await media.connect();
  expect(callbacks.onDeviceError).toHaveBeenCalledWith(
    expect.objectContaining({ devices: ["mic"], type: "permissions" }),
  );
  expect(media.tracks().local).toEqual({});
  microphones.failWith(undefined);
  await media.updateMic("headset");
  expect(attached).toBe(open()[0]);
});

test("after two microphone changes the last one is open, and keeps the muted state", async () => {
  await media.connect();
  await media.enableMic(false);
  await Promise.all([media.updateMic("headset"), media.updateMic("built-in")]);
  expect(open()).toMatchObject([{ deviceId: "built-in", enabled: false }]);
  expect(attached).toBe(open()[0]);
  expect(callbacks.onMicUpdated).toHaveBeenLastCalledWith(expect.objectContaining({ deviceId: "built-in" }));
});

test("an unplugged microphone is replaced by the browser's default", async () => {
  await media.updateMic("headset");
  await media.connect();
  microphones.opened[0]?.stop();
  microphones.opened[0]?.dispatchEvent(new Event("ended"));
  await vi.waitFor(() => expect(open()).toMatchObject([{ deviceId: "built-in" }]));
});

test("an unavailable microphone is replaced by the browser's default", async () => {
  await media.updateMic("unavailable");
  await media.connect();
  expect(open()).toMatchObject([{ deviceId: "built-in" }]);
  expect(callbacks.onDeviceError).not.toHaveBeenCalled();
});

test("a microphone that is granted after the call has ended is closed", async () => {
  const connecting = media.connect();
  await Promise.resolve();
  await media.disconnect();
  await connecting;
  expect(open()).toEqual([]);
});

test("a call without video has neither camera nor screen", async () => {
  await media.connect();
  media.enableCam(true);
  media.enableScreenShare(true);
  expect([media.supportsScreenShare, media.isCamEnabled, media.isSharingScreen]).toEqual([false, false, false]);
});

test("camera and screen are open until the call ends, and a denied camera is reported", async () => {
  const { mediaDevices } = navigator;
  const tracks: FakeTrack[] = [];
  const openVideo = (name: string) => async () => {
    const track = new FakeTrack(name);
    tracks.push(track);
    return { getVideoTracks: () => [track] };
  };
  const openMicrophone = mediaDevices.getUserMedia.bind(mediaDevices);
  Object.assign(mediaDevices, {
    getUserMedia: (constraints: MediaStreamConstraints) =>
      constraints.video ? openVideo("camera")() : openMicrophone(constraints),
    getDisplayMedia: openVideo("screen"),
  });
  const audio = { attach: async () => async () => undefined, play: ignore, clear: ignore, close: closeAudio };
  media = new CallMedia(
    async () => audio,
    async () => async () => undefined,
  );
  const transport = {
    enableCam: (enable: boolean) => media.enableCam(enable),
    enableScreenShare: (enable: boolean) => media.enableScreenShare(enable),
  };
  media.setClientOptions({ callbacks, transport } as unknown as PipecatClientOptions);
  expect(media.supportsScreenShare).toBe(true);
  await media.connect();
  media.enableCam(true);
  media.enableScreenShare(true);
  await vi.waitFor(() => expect(media.tracks().local).toMatchObject({ video: tracks[0], screenVideo: tracks[1] }));
  await media.disconnect();
  expect(tracks.map(({ readyState }) => readyState)).toEqual(["ended", "ended"]);
  expect([media.isCamEnabled, media.isSharingScreen]).toEqual([false, false]);
  Object.assign(mediaDevices, { getUserMedia: () => Promise.reject(new DOMException("Denied", "NotAllowedError")) });
  media.enableCam(true);
  const denied = expect.objectContaining({ devices: ["cam"], type: "permissions" });
  await vi.waitFor(() => expect(callbacks.onDeviceError).toHaveBeenCalledWith(denied));
  expect(media.isCamEnabled).toBe(false);
});

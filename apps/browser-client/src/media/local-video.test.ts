import { beforeEach, expect, test, vi } from "vitest";
import { FakeTrack } from "../test/fake-microphones.ts";
import { LocalVideo } from "./local-video.ts";

const opened: FakeTrack[] = [];
const events: string[] = [];
let opening: Promise<unknown> = Promise.resolve();
let failure: Error | undefined;
let video: LocalVideo;

beforeEach(() => {
  opened.length = 0;
  events.length = 0;
  opening = Promise.resolve();
  failure = undefined;
  const open = (name: string) => async () => {
    await opening;
    if (failure) throw failure;
    const track = new FakeTrack(name);
    opened.push(track);
    return { getVideoTracks: () => [track] };
  };
  vi.stubGlobal("navigator", { mediaDevices: { getUserMedia: open("camera"), getDisplayMedia: open("screen") } });
  video = new LocalVideo({
    async attach(source) {
      events.push(`attach ${source}`);
      return async () => void events.push(`detach ${source}`);
    },
    onStarted: (source) => events.push(`started ${source}`),
    onStopped: (source) => events.push(`stopped ${source}`),
    onEnded: (source, error) => events.push(`ended ${source}${error === undefined ? "" : ` ${error}`}`),
  });
});

const live = () => opened.filter(({ readyState }) => readyState === "live").map(({ deviceId }) => deviceId);

test("opens camera and screen, and closes them", async () => {
  await Promise.all([video.enable("camera", true), video.enable("screen", true)]);
  expect(live()).toEqual(["camera", "screen"]);
  expect([video.track("camera"), video.track("screen")]).toEqual(opened);
  await video.enable("camera", false);
  expect(live()).toEqual(["screen"]);
  expect([video.isEnabled("camera"), video.isEnabled("screen")]).toEqual([false, true]);
  await video.close();
  expect(live()).toEqual([]);
  expect(events).toEqual([
    ...["attach camera", "started camera", "attach screen", "started screen"],
    ...["detach camera", "stopped camera", "detach screen", "stopped screen"],
  ]);
});

test("the last of several changes counts, and no track stays open", async () => {
  await Promise.all([true, false, true, false].map((enable) => video.enable("camera", enable)));
  expect(live()).toEqual([]);
  await Promise.all([true, false, true].map((enable) => video.enable("camera", enable)));
  expect(live()).toEqual(["camera"]);
});

test("a camera that is granted after it was turned off is closed", async () => {
  let grant = (): void => undefined;
  opening = new Promise<void>((resolve) => {
    grant = resolve;
  });
  const enabling = video.enable("camera", true);
  await new Promise((resolve) => setTimeout(resolve));
  const closing = video.close();
  grant();
  await Promise.all([enabling, closing]);
  expect(opened).toHaveLength(1);
  expect(live()).toEqual([]);
  expect(events).not.toContain("started camera");
});

test("a denied camera is off, and can be turned on later", async () => {
  failure = new DOMException("Permission denied", "NotAllowedError");
  await video.enable("camera", true);
  expect(events).toEqual(["ended camera NotAllowedError: Permission denied"]);
  expect(video.isEnabled("camera")).toBe(false);
  failure = undefined;
  await video.enable("camera", true);
  expect(live()).toEqual(["camera"]);
});

test("the browser's own button ends screen sharing", async () => {
  await video.enable("screen", true);
  opened[0]?.dispatchEvent(new Event("ended"));
  expect(events.at(-1)).toBe("ended screen");
  expect(video.isEnabled("screen")).toBe(false);
  await video.enable("screen", false);
  expect(video.track("screen")).toBeUndefined();
});

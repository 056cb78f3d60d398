import type { Clock, Snapshot } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import type { PeerVideo } from "../peer/peer.ts";
import { createVideoReceiver, type VideoReceiver } from "./caller-video.ts";
import { keyFrame, packetize } from "./test/vp8-packets.ts";

/** A clock that the test moves. */
function createTestClock(): Clock & { advance(ms: number): Promise<void>; readonly timers: number } {
  const timers = new Map<() => void, number>();
  let nowMs = 0;
  return {
    now: () => nowMs,
    after(delayMs, callback) {
      const act = () => callback();
      timers.set(act, nowMs + delayMs);
      return () => void timers.delete(act);
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const [next] = [...timers].sort(([, one], [, other]) => one - other);
        if (next === undefined || next[1] > untilMs) break;
        nowMs = Math.max(nowMs, next[1]);
        timers.delete(next[0]);
        next[0]();
        await turn();
      }
      nowMs = untilMs;
    },
    get timers() {
      return timers.size;
    },
  };
}

/** Lets promises settle. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

function open(offered: PeerVideo["offered"] = ["camera", "screen"]) {
  const events: string[] = [];
  const clock = createTestClock();
  let reachable = true;
  const peerVideo: PeerVideo = {
    offered,
    accepted: true,
    receive: (wanted) => void events.push(wanted ? "receive" : "stop"),
    requestKeyFrame(source) {
      if (reachable) events.push(`request ${source}`);
      return reachable;
    },
  };
  const receiver = createVideoReceiver({ peerVideo: () => peerVideo, clock });
  return {
    receiver,
    video: receiver.video,
    clock,
    events,
    setReachable(value: boolean) {
      reachable = value;
    },
  };
}

let timestamp = 0;
function deliver(receiver: VideoReceiver, source: "camera" | "screen", width = 640, height = 480): void {
  timestamp += 3_000;
  for (const packet of packetize(keyFrame(width, height), { source, timestamp })) receiver.push(packet);
}

describe("snapshot", () => {
  test("requests a key frame and returns it as WebP", async () => {
    const { receiver, video, clock, events } = open();
    const taken = video.snapshot({ source: "camera" });
    expect(events).toEqual(["receive", "request camera"]);
    deliver(receiver, "screen");
    const before = Date.now();
    deliver(receiver, "camera", 320, 240);
    const { data, ...snapshot } = await taken;
    expect(snapshot).toEqual({
      source: "camera",
      type: "image/webp",
      width: 320,
      height: 240,
      atMs: expect.any(Number),
    });
    expect(snapshot.atMs).toBeGreaterThanOrEqual(before);
    expect(data.subarray(20)).toEqual(keyFrame(320, 240));
    expect(events).toEqual(["receive", "request camera", "stop"]);
    expect(clock.timers).toBe(0);
  });

  test("snapshots of one source share a key frame, those of another do not", async () => {
    const { receiver, video, events } = open();
    const taken = [video.snapshot({ source: "camera" }), video.snapshot({ source: "camera" })];
    const screen = video.snapshot({ source: "screen" });
    deliver(receiver, "camera");
    const [one, two] = await Promise.all(taken);
    expect(one).toBe(two);
    deliver(receiver, "screen", 1_280, 720);
    expect(await screen).toMatchObject({ source: "screen", width: 1_280 });
    expect(events).toEqual(["receive", "request camera", "request screen", "stop"]);
  });

  test("ignores packets while no picture is pending", async () => {
    const { receiver, video } = open();
    deliver(receiver, "camera", 1, 1);
    const taken = video.snapshot({ source: "camera" });
    deliver(receiver, "camera", 2, 2);
    expect(await taken).toMatchObject({ width: 2 });
  });

  test("requests the key frame again until it arrives", async () => {
    const { receiver, video, clock, events } = open();
    const taken = video.snapshot({ source: "camera" });
    await clock.advance(450);
    expect(events).toEqual(["receive", "request camera", "request camera", "request camera"]);
    for (const packet of packetize(keyFrame(640, 480))) {
      expect(events).toHaveLength(4);
      receiver.push(packet);
      await clock.advance(200);
    }
    await taken;
  });

  test("requests the key frame again if packets of it are lost, also when no other frame follows", async () => {
    const { receiver, video, clock, events } = open();
    const taken = video.snapshot({ source: "screen" });
    for (const packet of packetize(keyFrame(640, 480), { source: "screen" }).slice(0, 2)) receiver.push(packet);
    await clock.advance(450);
    expect(events).toEqual(["receive", "request screen", "request screen"]);
    deliver(receiver, "screen");
    await taken;
  });

  test("requests the key frame with the first packet if the RTP source was unknown before", async () => {
    const { receiver, video, events, setReachable } = open();
    setReachable(false);
    const taken = video.snapshot({ source: "camera" });
    expect(events).toEqual(["receive"]);
    setReachable(true);
    deliver(receiver, "camera");
    expect(events).toEqual(["receive", "request camera", "stop"]);
    await taken;
  });

  test("skips a key frame that no decoder would show", async () => {
    const { receiver, video } = open();
    const taken = video.snapshot({ source: "camera" });
    deliver(receiver, "camera", 0, 480);
    deliver(receiver, "camera");
    expect(await taken).toMatchObject({ width: 640, height: 480 });
  });

  test("times out, and then processes no more packets", async () => {
    const { video, clock, events } = open();
    const short = expect(video.snapshot({ source: "camera", timeoutMs: 300 })).rejects.toMatchObject({
      code: "VIDEO_TIMED_OUT",
      status: 504,
    });
    const long = expect(video.snapshot({ source: "camera" })).rejects.toMatchObject({ code: "VIDEO_TIMED_OUT" });
    await clock.advance(300);
    await short;
    expect(events).not.toContain("stop");
    await clock.advance(1_700);
    await long;
    expect(events.at(-1)).toBe("stop");
    expect(clock.timers).toBe(0);
  });

  test("rejects for a source that the caller does not offer", async () => {
    const { video, events } = open(["camera"]);
    await expect(video.snapshot({ source: "screen" })).rejects.toMatchObject({
      code: "VIDEO_SOURCE_MISSING",
      status: 404,
    });
    expect(events).toEqual([]);
  });

  test("rejects while the caller has turned the source off", async () => {
    const { receiver, video } = open();
    receiver.setEnabled("camera", false);
    await expect(video.snapshot({ source: "camera" })).rejects.toMatchObject({ code: "VIDEO_OFF", status: 409 });
    receiver.setEnabled("camera", true);
    const taken = video.snapshot({ source: "camera" });
    deliver(receiver, "camera");
    await taken;
  });

  test("rejects when the call ends, and after it", async () => {
    const { receiver, video, clock } = open();
    const taken = expect(video.snapshot({ source: "camera" })).rejects.toMatchObject({ code: "CALL_ENDED" });
    receiver.close();
    await taken;
    await expect(video.snapshot({ source: "camera" })).rejects.toMatchObject({ code: "CALL_ENDED" });
    expect(clock.timers).toBe(0);
  });

  test("continues with a new peer, from the start", async () => {
    const { receiver, video, events } = open();
    const taken = video.snapshot({ source: "camera" });
    const old = packetize(keyFrame(640, 480), { timestamp: 5 });
    old.slice(0, 2).forEach(receiver.push);
    receiver.restart();
    expect(events).toEqual(["receive", "request camera", "receive"]);
    const packets = packetize(keyFrame(320, 240), { timestamp: 5 });
    packets.forEach(receiver.push);
    expect(await taken).toMatchObject({ width: 320 });
    expect(events).toEqual(["receive", "request camera", "receive", "request camera", "stop"]);
  });

  test.each([0, 60_001, Number.NaN])("rejects a timeout of %s ms", async (timeoutMs) => {
    await expect(open().video.snapshot({ source: "camera", timeoutMs })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
  });
});

describe("frames", () => {
  test("takes a picture per interval, and ends with the call", async () => {
    const { receiver, video, clock, events } = open();
    const taken: Snapshot[] = [];
    const loop = (async () => {
      for await (const each of video.frames({ source: "camera", every: 500 })) taken.push(each);
    })();
    for (let count = 1; count <= 3; count++) {
      await turn();
      deliver(receiver, "camera");
      await turn();
      expect(taken).toHaveLength(count);
      await clock.advance(499);
      expect(events.filter((each) => each === "request camera")).toHaveLength(count);
      await clock.advance(1);
    }
    receiver.close();
    await loop;
    expect(clock.timers).toBe(0);
  });

  test("queues nothing for a slow loop", async () => {
    const { receiver, video, clock, events } = open();
    const frames = video.frames({ source: "camera" })[Symbol.asyncIterator]();
    const first = frames.next();
    await turn();
    deliver(receiver, "camera");
    await first;
    await clock.advance(10_000);
    expect(events).toEqual(["receive", "request camera", "stop"]);
  });

  test("waits while the source is off, and while no picture arrives", async () => {
    const { receiver, video, clock } = open();
    receiver.setEnabled("camera", false);
    const frames = video.frames({ source: "camera" })[Symbol.asyncIterator]();
    const next = frames.next();
    await turn();
    await clock.advance(3_000);
    receiver.setEnabled("camera", true);
    await clock.advance(5_500);
    deliver(receiver, "camera");
    expect(await next).toMatchObject({ done: false, value: { source: "camera" } });
    const last = frames.next();
    receiver.close();
    expect(await last).toMatchObject({ done: true });
  });

  test("fails for a source that the caller does not offer, and for an interval out of range", async () => {
    const { video } = open([]);
    const first = (options: Parameters<typeof video.frames>[0]) => video.frames(options)[Symbol.asyncIterator]().next();
    await expect(first({ source: "camera" })).rejects.toMatchObject({ code: "VIDEO_SOURCE_MISSING" });
    await expect(first({ source: "camera", every: 199 })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });
});

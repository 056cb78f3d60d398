import { describe, expect, test } from "vitest";
import type { OfferedVideo } from "../peer/offer.ts";
import { createVideoStreams, type StreamHeader } from "./video-streams.ts";

function section(source: "camera" | "screen", mid: string, fields: Partial<OfferedVideo> = {}): OfferedVideo {
  return { source, mid, vp8PayloadType: 96, midExtension: 4, ssrc: undefined, ...fields } as OfferedVideo;
}

/** An encrypted packet: only its header is readable. */
function packet(sequenceNumber: number, payloadType = 96): Buffer {
  const data = Buffer.alloc(40, 0x55);
  data.writeUInt16BE(0x8000 | payloadType, 0);
  data.writeUInt16BE(sequenceNumber, 2);
  return data;
}

function header(ssrc: number, mid?: string, payloadType = 96): StreamHeader {
  const extensions = mid === undefined ? [] : [{ id: 4, payload: Buffer.from(mid) }];
  return { payloadType, ssrc, extensions };
}

describe("sort", () => {
  const sorted = (streams: ReturnType<typeof createVideoStreams>, count: number, payloadType?: number) => {
    const results = Array.from({ length: count }, (_, index) => streams.sort(packet(index & 0xffff, payloadType)));
    return {
      taken: results.filter((each) => each === "take").length,
      skipped: results.filter((each) => each === "skip").length,
    };
  };

  test("leaves packets of other payload types, and all while no video is accepted", () => {
    const streams = createVideoStreams();
    expect(sorted(streams, 100)).toEqual({ taken: 0, skipped: 0 });
    streams.accept([section("camera", "1")]);
    expect(sorted(streams, 100, 111)).toEqual({ taken: 0, skipped: 0 });
    streams.accept([]);
    expect(sorted(streams, 100)).toEqual({ taken: 0, skipped: 0 });
  });

  test("takes one packet in 32 while no picture is wanted", () => {
    const streams = createVideoStreams(() => 0);
    streams.accept([section("camera", "1")]);
    expect(sorted(streams, 3_200)).toEqual({ taken: 100, skipped: 3_100 });
    streams.want(true);
    expect(sorted(streams, 100)).toEqual({ taken: 100, skipped: 0 });
    streams.want(false);
    expect(sorted(streams, 32)).toEqual({ taken: 1, skipped: 31 });
  });

  test("takes at most 2,000 packets at once, and 1,000 per second", () => {
    let nowMs = 0;
    const streams = createVideoStreams(() => nowMs);
    streams.accept([section("camera", "1")]);
    streams.want(true);
    expect(sorted(streams, 5_000)).toEqual({ taken: 2_000, skipped: 3_000 });
    nowMs = 1_000;
    expect(sorted(streams, 5_000)).toEqual({ taken: 1_000, skipped: 4_000 });
  });
});

describe("sourceOf", () => {
  test("knows the source by the name of its section, and then by its RTP source", () => {
    const streams = createVideoStreams();
    streams.accept([section("camera", "1"), section("screen", "2")]);
    expect(streams.sourceOf(header(7))).toBeUndefined();
    expect(streams.sourceOf(header(7, "2"))).toBe("screen");
    expect(streams.sourceOf(header(8, "1"))).toBe("camera");
    expect([streams.sourceOf(header(7)), streams.sourceOf(header(8))]).toEqual(["screen", "camera"]);
    expect([streams.ssrcOf("screen"), streams.ssrcOf("camera")]).toEqual([7, 8]);
  });

  test("knows the source by the RTP source that the offer announces", () => {
    const streams = createVideoStreams();
    streams.accept([section("camera", "1", { ssrc: 5 }), section("screen", "2", { ssrc: 6 })]);
    expect([streams.ssrcOf("camera"), streams.ssrcOf("screen")]).toEqual([5, 6]);
    expect([streams.sourceOf(header(6)), streams.sourceOf(header(5))]).toEqual(["screen", "camera"]);
  });

  test("knows the source by its payload type, if that is its own", () => {
    const streams = createVideoStreams();
    streams.accept([
      section("camera", "1", { midExtension: undefined }),
      section("screen", "2", { vp8PayloadType: 97 }),
    ]);
    expect(streams.sourceOf(header(9, undefined, 97))).toBe("screen");
    expect(streams.sourceOf(header(9, undefined, 96))).toBe("camera");
    expect(streams.sourceOf(header(9, undefined, 98))).toBeUndefined();
  });

  test("keeps one RTP source per section, whatever the caller sends", () => {
    const streams = createVideoStreams();
    streams.accept([section("camera", "1"), section("screen", "2")]);
    for (let ssrc = 0; ssrc < 1_000; ssrc++) streams.sourceOf(header(ssrc, "1"));
    expect(streams.ssrcOf("camera")).toBe(999);
    expect(streams.sourceOf(header(998))).toBeUndefined();
  });
});

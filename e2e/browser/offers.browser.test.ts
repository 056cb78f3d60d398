import { expect, test } from "vitest";
import { useBrowser } from "./fixture.ts";
import { openPeerCall, type Section } from "./peer-caller.ts";

const fixture = useBrowser().over("webrtc");

const audio: Section = ["audio", "sendrecv"];
const video: Section = ["video", "sendrecv"];

test.each([
  ["audio first", [audio, video], ["sendrecv", "inactive"]],
  ["video first", [video, audio], ["inactive", "sendrecv"]],
  ["audio and video twice", [video, audio, video, audio], ["inactive", "sendrecv", "inactive", "inactive"]],
  [
    "audio that only sends, and audio that only receives",
    [
      ["audio", "sendonly"],
      ["audio", "recvonly"],
    ],
    undefined,
  ],
  [
    "audio that only receives, and audio that only sends",
    [
      ["audio", "recvonly"],
      ["audio", "sendonly"],
    ],
    undefined,
  ],
] satisfies [string, Section[], string[] | undefined][])(
  "Chromium calls with %s, with every bundle policy",
  async (_, sections, directions) => {
    const expected = directions ?? sections.map(([, direction]) => direction);
    for (const policy of ["max-bundle", "balanced", "max-compat"]) {
      const { evaluate } = await openPeerCall(fixture, sections, policy);
      expect(await evaluate("directions()"), policy).toEqual(expected);
      // A further offer keeps all sections.
      await evaluate("negotiate()");
      expect(await evaluate("directions()"), policy).toEqual(expected);
    }
  },
);

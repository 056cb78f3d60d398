import { expect, test } from "vitest";
import { useBrowser } from "./fixture.ts";
import { type NativeClient, openPeerCall, type Section } from "./peer-caller.ts";

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
    const call = async (policy: string) => {
      const { evaluate } = await openPeerCall(fixture, sections, policy);
      expect(await evaluate("directions()"), policy).toEqual(expected);
      // A further offer keeps all sections.
      await evaluate("negotiate()");
      expect(await evaluate("directions()"), policy).toEqual(expected);
    };
    await Promise.all(["max-bundle", "balanced", "max-compat"].map(call));
  },
);

// The native clients use Chromium's WebRTC library, so that Chromium shows whether they can apply the answers.
test.each([
  ["React Native", [audio, video, ["video", "sendonly"]], { label: "chat" }],
  ["Android", [audio, video], { label: "chat" }],
  ["iOS", [audio, video], { label: "rtvi-events", binary: true, keepsVP8: true }],
] satisfies [string, Section[], NativeClient][])(
  "Chromium calls like Pipecat's %s client, which becomes ready, and whose video is accepted when the bot wants it",
  async (_, sections, client) => {
    const { evaluate } = await openPeerCall(fixture, sections, "balanced", client);
    await expect.poll(() => evaluate("messages")).toContainEqual(expect.objectContaining({ type: "bot-ready" }));
    const expected = ["sendrecv", ...sections.slice(1).map(() => "sendonly")];
    await expect.poll(() => evaluate("directions()")).toEqual(expected);
  },
);

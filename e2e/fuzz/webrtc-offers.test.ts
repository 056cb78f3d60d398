import { isRunnerError } from "@pipecat-ts/runner-core";
import fc, { type Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import { writeAnswer } from "../../packages/runner-webrtc/src/peer/answer.ts";
import { locateCandidate, parseCandidate } from "../../packages/runner-webrtc/src/peer/candidate.ts";
import { parseOffer } from "../../packages/runner-webrtc/src/peer/offer.ts";
import { chromium, clientOffers } from "../../packages/runner-webrtc/src/peer/test/offers.ts";
import { fuzz } from "./fuzz.ts";

const offers = Object.values(clientOffers);

/** Text of a caller: often a number, or characters with a meaning in SDP. */
const text = fc.oneof(
  fc.constantFrom("", "0", "-1", "65536", "99999999999", ":", "=", " ", "/", "\r", "\n", "\u0000", "__proto__", "ü"),
  fc.string({ maxLength: 30 }),
  fc.nat({ max: 70_000 }).map(String),
);
const line = fc.oneof(
  fc.constantFrom(
    "a=sendonly",
    "a=recvonly",
    "a=inactive",
    "a=bundle-only",
    "a=ice-lite",
    "a=mid:0",
    "a=mid:1",
    "a=setup:active",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111",
    "m=video 0 UDP/TLS/RTP/SAVPF 96",
    "m=application 9 UDP/DTLS/SCTP 5000",
    "a=rtpmap:111 opus/48000/2",
    "a=group:BUNDLE 0 1 2",
    "a=group:BUNDLE 2 1",
    "m=text 9 RTP/SAVP 98 99",
  ),
  fc
    .tuple(
      fc.constantFrom(
        "mid",
        "rtpmap",
        "fmtp",
        "ssrc",
        "candidate",
        "ice-ufrag",
        "ice-pwd",
        "group",
        "max-message-size",
        "sctp-port",
        "fingerprint",
      ),
      text,
    )
    .map(([name, value]) => `a=${name}:${value}`),
  text,
);
type Edit = (lines: string[]) => void;
const place = fc.nat({ max: 80 });
const edit: Arbitrary<Edit> = fc.oneof(
  fc.tuple(place, line).map(
    ([at, added]): Edit =>
      (lines) =>
        void lines.splice(at % lines.length, 0, added),
  ),
  place.map(
    (at): Edit =>
      (lines) =>
        void lines.splice(at % lines.length, 1),
  ),
  fc.tuple(place, place).map(
    ([from, to]): Edit =>
      (lines) => {
        lines.splice(to % lines.length, 0, lines[from % lines.length] ?? "");
      },
  ),
  fc.tuple(place, fc.nat({ max: 100 }), text).map(
    ([at, from, added]): Edit =>
      (lines) => {
        const old = lines[at % lines.length] ?? "";
        lines[at % lines.length] = old.slice(0, from) + added + old.slice(from + added.length);
      },
  ),
);
const offer = fc.tuple(fc.constantFrom(...offers), fc.array(edit, { maxLength: 8 })).map(([sdp, edits]) => {
  const lines = sdp.split("\r\n");
  for (const change of edits) {
    change(lines);
    if (lines.length === 0) lines.push("");
  }
  return lines.join("\r\n");
});

const transport = {
  setup: "passive",
  usernameFragment: "abcd",
  password: "p".repeat(22),
  candidates: ["1 1 udp 1 192.0.2.1 9 typ host"],
} as const;
const local = {
  fingerprint: "sha-256 AA",
  audio: transport,
  data: transport,
  ssrc: 1,
  maxMessageBytes: 1,
  sctpPort: 5_000,
  acceptsVideo: true,
  version: 1,
};

test("offers of any content are answered section by section, or rejected with a short reason", async () => {
  let answered = 0;
  let rejected = 0;
  await fuzz(offer, (sdp) => {
    try {
      const parsed = parseOffer(sdp);
      const answer = writeAnswer(parsed, local);
      expect(answer.match(/^m=/gm)).toHaveLength(parsed.sections.length);
      for (const each of answer.split("\r\n").slice(0, -1)) expect(each).toMatch(/^[a-z]=[^\r\n]*$/);
      answered += 1;
    } catch (error) {
      if (!isRunnerError(error)) throw error;
      expect(error.code).toBe("OFFER_INVALID");
      expect(error.message.length).toBeLessThan(300);
      rejected += 1;
    }
  });
  expect(Math.min(answered, rejected)).toBeGreaterThan(100);
});

const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom("a-b.local", "224.0.0.1", "::", "example.com"), text);
const mostly = <T>(usual: T, other: Arbitrary<T>): Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: other });
const candidate = fc
  .record({
    foundation: mostly("1", text),
    component: mostly("1", fc.constantFrom("2", "x")),
    protocol: mostly("udp", fc.constantFrom("UDP", "tcp")),
    priority: mostly("2122260223", text),
    host,
    port: fc.nat({ max: 70_000 }),
    type: mostly("host", fc.constantFrom("srflx", "prflx", "relay", "x")),
    rest: text,
  })
  .map(
    (each) =>
      `candidate:${each.foundation} ${each.component} ${each.protocol} ${each.priority} ${each.host} ${each.port} typ ${each.type} ufrag ${each.rest}`,
  );

test("candidates of any content are unicast UDP addresses or names, or are ignored", async () => {
  const parsed = parseOffer(chromium);
  let used = 0;
  let ignored = 0;
  const input = fc.record({
    candidate: fc.oneof(candidate, text),
    sdpMid: fc.option(text, { nil: undefined }),
    sdpMLineIndex: fc.option(fc.integer(), { nil: undefined }),
  });
  await fuzz(input, (remote) => {
    const found = parseCandidate(remote.candidate);
    locateCandidate(remote, parsed);
    if (found === undefined) ignored += 1;
    else {
      used += 1;
      expect(found.port).toBeGreaterThan(0);
      expect(found.host).toMatch(/^[\w.:%-]+$/);
    }
  });
  expect(Math.min(used, ignored)).toBeGreaterThan(100);
});

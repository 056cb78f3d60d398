import { isRunnerError } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { writeAnswer } from "../../packages/runner-webrtc/src/peer/answer.ts";
import { locateCandidate } from "../../packages/runner-webrtc/src/peer/candidate.ts";
import { isReadableResponse } from "../../packages/runner-webrtc/src/peer/mdns.ts";
import { parseOffer } from "../../packages/runner-webrtc/src/peer/offer.ts";
import { chromium, voiceAlone } from "../../packages/runner-webrtc/src/peer/test/offers.ts";
import { hasFewRecords } from "../../packages/runner-webrtc/src/peer/werift/patches/datagram-filter.ts";
import {
  openDtlsReceiver,
  openSctpReceiver,
  receiveRtcp,
  receiveRtp,
  receiveStun,
} from "../../packages/runner-webrtc/src/peer/werift/test/parsers.ts";
import { chunk, dataChunk, sackChunk } from "../../packages/runner-webrtc/src/peer/werift/test/sctp-writer.ts";
import { type Cost, expectCost } from "./cost.ts";

/** Four times the most expensive inputs below. */
const offerCost: Cost = { messageMicros: 2_000, byteMicros: 0.2 };
const candidateCost: Cost = { messageMicros: 40, byteMicros: 0.04 };
const packetCost: Cost = { messageMicros: 80, byteMicros: 0.1 };
const sctpCost: Cost = { messageMicros: 500, byteMicros: 1.5 };

/** The largest SDP, in characters. */
const maxSdp = 131_072;
/** The largest datagram. */
const maxPacket = 2_048;
const fill = (text: string, piece: string): string => text + piece.repeat((maxSdp - text.length) / piece.length);
const times = <T>(count: number, item: (index: number) => T): T[] => Array.from({ length: count }, (_, n) => item(n));
const repeat = (hex: string, bytes = maxPacket): Buffer => Buffer.alloc(bytes, Buffer.from(hex, "hex"));

const transport = { setup: "passive", usernameFragment: "abcd", password: "p".repeat(22), candidates: [] } as const;
const local = {
  fingerprint: "",
  audio: transport,
  data: transport,
  ssrc: 1,
  maxMessageBytes: 1,
  sctpPort: 1,
  acceptsVideo: true,
  version: 1,
};
function answer(sdp: string): void {
  try {
    writeAnswer(parseOffer(sdp), local);
  } catch (error) {
    if (!isRunnerError(error)) throw error;
  }
}

const codecs = times(10_000, (n) => n).join(" ");
const sections = times(64, (n) => `m=audio 9 RTP/SAVP 111\r\na=mid:s${n}\r\na=recvonly\r\na=rtpmap:111 opus/48000\r\n`);
describe.each<[string, Readonly<Record<string, string>>]>([
  [
    "an offer with",
    {
      "one-letter lines": fill(voiceAlone, "a=\r\n"),
      "line ends": fill(voiceAlone, "\n"),
      "long lines": fill(voiceAlone, `a=${"x".repeat(8_000)}\r\n`),
      "64 sections in a bundle": `${voiceAlone.replace("t=0 0", `t=0 0\r\na=group:BUNDLE ${times(64, (n) => `s${n}`).join(" ")}`)}${sections.slice(1).join("")}`,
      "20,000 names in the bundle": chromium.replace("BUNDLE 0", `BUNDLE 0 ${times(15_000, (n) => `x${n}`).join(" ")}`),
      "3,000 bundles": voiceAlone.replace("t=0 0\r\n", `t=0 0\r\n${"a=group:BUNDLE 1\r\n".repeat(3_000)}`),
      "10,000 payload types and 3,000 codecs": fill(
        voiceAlone.replace("SAVPF 111", `SAVPF ${codecs}`),
        "a=rtpmap:9999 x/1\r\n",
      ),
      candidates: fill(voiceAlone, "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n"),
      fingerprints: fill(voiceAlone, "a=fingerprint:sha-1 00\r\n"),
      spaces: fill(voiceAlone, " "),
      "spaces in a media line": fill(`${voiceAlone}m=audio 9 RTP/SAVPF 1`, " "),
      "one long candidate": fill(`${voiceAlone}a=candidate:1 1 udp 1 `, "x"),
    },
  ],
])("%s", (_, inputs) => {
  test.each(Object.entries(inputs))("%s", async (__, sdp) => {
    expect(sdp.length).toBeLessThanOrEqual(maxSdp);
    await expectCost([sdp], answer, offerCost);
  });
});

const offered = parseOffer(chromium);
test.each([
  ["digits", `candidate:1 1 udp 1 ${"1".repeat(980)}`],
  ["colons", `candidate:1 1 udp 1 ${":".repeat(200)} 9 typ host`],
  ["spaces", `candidate:1 1 udp 1 a.local 9 typ host${" ".repeat(900)}`],
  ["ufrags", `candidate:1 1 udp 1 192.0.2.1 9 typ host${" ufrag ".repeat(130)}`],
])("64 candidates with many %s", async (_, candidate) => {
  await expectCost(
    times(64, () => candidate),
    (each) => locateCandidate({ candidate: each }, offered),
    candidateCost,
  );
});

const stun = (body: Buffer): Buffer => {
  const head = Buffer.from("000100002112a442000000000000000000000000", "hex");
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
};
const rtcp = (type: number, items: number, body: Buffer): Buffer => {
  const head = Buffer.of(0x80 | items, type, 0, 0);
  head.writeUInt16BE(body.length / 4, 2);
  return Buffer.concat([head, body]);
};
/** Transport-wide feedback on 65,535 packets, in runs of 8,191. */
const feedback = rtcp(
  205,
  15,
  Buffer.concat([Buffer.alloc(10), Buffer.from("ffff00000000", "hex"), repeat("3fff", 16)]),
);
const filled = (piece: Buffer): Buffer => Buffer.concat(times(Math.floor(maxPacket / piece.length), () => piece));

test.each<[string, (data: Buffer) => unknown, Buffer]>([
  ["STUN with fingerprints", receiveStun, stun(repeat("8028000400000000", 2_024))],
  ["STUN with 500 attributes", receiveStun, stun(repeat("77770000", 2_024))],
  ["STUN with one attribute", receiveStun, stun(Buffer.concat([Buffer.from("00060200", "hex"), repeat("3a", 512)]))],
  [
    "RTP with an extension of 256 bytes",
    receiveRtp,
    Buffer.concat([Buffer.from("906f00010000000000000001bede0040", "hex"), repeat("00", 2_000)]),
  ],
  [
    "RTP with elements of one byte",
    receiveRtp,
    Buffer.concat([Buffer.from("906f00010000000000000001bede0040", "hex"), repeat("10ff", 2_000)]),
  ],
  [
    "RTP with padding",
    receiveRtp,
    Buffer.concat([Buffer.from("a06f00010000000000000001", "hex"), repeat("ff", 2_000)]),
  ],
  ["RTCP feedback with run lengths", receiveRtcp, filled(feedback)],
  ["RTCP reports", receiveRtcp, filled(rtcp(201, 31, Buffer.alloc(4 + 24 * 31)))],
  ["RTCP packets without a body", receiveRtcp, repeat("80c90000")],
  ["RTCP source descriptions", receiveRtcp, filled(rtcp(202, 31, repeat("0000000101000000", 496)))],
  ["mDNS records", isReadableResponse, Buffer.concat([Buffer.from("000084000000004000000000", "hex"), repeat("c00c")])],
])("100 packets: %s", async (_, receive, packet) => {
  await expectCost(
    times(100, () => packet.subarray(0, maxPacket)),
    receive,
    packetCost,
  );
});

test.each<[string, (tsn: number) => Buffer]>([
  ["data chunks", (tsn) => Buffer.concat(times(90, (n) => dataChunk({ tsn: tsn + n })))],
  ["data chunks in reverse", (tsn) => Buffer.concat(times(90, (n) => dataChunk({ tsn: tsn + 90 - n })))],
  ["duplicates", (tsn) => Buffer.concat(times(90, () => dataChunk({ tsn: tsn - 1 })))],
  [
    "gap blocks",
    () =>
      sackChunk(
        1,
        times(450, (n) => [n * 9, n * 9 + 8]),
      ),
  ],
  ["requests for streams", () => chunk(130, 0, repeat("0011000c0000000000010000", 1_800))],
  ["stream resets", () => chunk(130, 0, repeat("000d00100000000000000000", 1_900))],
  ["heartbeats", () => Buffer.concat(times(150, () => chunk(4, 0, Buffer.from("0001000811223344", "hex"))))],
  ["forwarded numbers", (tsn) => chunk(192, 0, Buffer.concat([Buffer.alloc(4, tsn), repeat("0001", 1_900)]))],
  ["unknown chunks", () => Buffer.concat(times(500, () => chunk(99, 0, Buffer.alloc(0))))],
])("20 packets: SCTP with %s", async (_, write) => {
  const receiver = await openSctpReceiver();
  const packets = times(20, () => ({ length: maxPacket }));
  await expectCost(
    packets,
    async () => {
      if (receiver.isOpen) await receiver.receive(write(receiver.nextTsn));
    },
    sctpCost,
  );
});

test.each([
  ["one record", `17fefd000000000000000007f3${"00".repeat(2_035)}`],
  ["ClientHello messages", "16fefd0000000000000000000c010000000000000000000000"],
  ["records without a body", "17fefd00000000000000000000"],
  ["fragments", "16fefd0000000000000000000d0b008000000000000000000100"],
])("100 packets: DTLS with %s", async (_, hex) => {
  const receiveRecords = await openDtlsReceiver();
  const receive = (data: Buffer) => hasFewRecords(data) && receiveRecords(data);
  const record = Buffer.from(hex, "hex");
  await expectCost(
    times(100, () => filled(record)),
    receive,
    packetCost,
  );
});

import { describe, expect, test } from "vitest";
import { createMdnsResolver } from "./mdns.ts";
import { readAnswer, values } from "./test/answer-reader.ts";
import { loopback } from "./test/mdns-responder.ts";
import { chromium, clientOffers, esp32, ios } from "./test/offers.ts";
import { openPeer } from "./test/peer-fixture.ts";

/** The payload types of Opus and VP8 in the answer, and the direction of each section if the bot wants video. */
const expected: Readonly<Record<string, readonly [opus: number, vp8: number, directions: string]>> = {
  "Chromium, audio and camera": [111, 96, "sendrecv recvonly data"],
  "Chromium, audio, camera and screen": [111, 96, "sendrecv recvonly recvonly data"],
  "Firefox, audio": [109, 0, "sendrecv data"],
  "Firefox, audio, camera and screen": [109, 120, "sendrecv recvonly recvonly data"],
  "Safari, audio": [96, 0, "sendrecv data"],
  "Safari, audio, camera and screen": [111, 100, "sendrecv recvonly recvonly data"],
  "React Native": [111, 96, "sendrecv recvonly recvonly data"],
  Android: [111, 96, "sendrecv recvonly data"],
  iOS: [111, 100, "sendrecv recvonly data"],
  "C++ with libdatachannel": [111, 96, "sendrecv recvonly data"],
  "Python with aiortc": [96, 97, "sendrecv recvonly recvonly data"],
  ESP32: [111, 0, "sendrecv data"],
  WhatsApp: [111, 0, "sendrecv"],
  "audio alone": [111, 0, "sendrecv"],
};

/** Ways to write the same offer. Clients, proxies and apps change line ends and attributes. */
const spellings: Readonly<Record<string, (offer: string) => string>> = {
  "as the client sends it": (offer) => offer,
  "with its sections in reverse order": (offer) => {
    const [head = "", ...sections] = offer.split(/^(?=m=)/m);
    return [head, ...sections.reverse()].join("");
  },
  "with LF alone, and without a last line end": (offer) => offer.replaceAll("\r\n", "\n").trimEnd(),
  "without header extensions, feedback, sources and ICE options": (offer) =>
    offer.replaceAll(
      /^a=(extmap|extmap-allow-mixed|rtcp-fb|rtcp-rsize|rtcp|ssrc|ssrc-group|msid|ice-options).*\r?\n/gm,
      "",
    ),
  "with lines that nobody knows": (offer) =>
    offer.replaceAll(/^(c=IN .*)\r\n/gm, "i=a title\r\n$1\r\nb=AS:2000\r\na=future\r\na=future:1 x=y\r\n"),
};

describe.each(Object.entries(clientOffers))("the offer of %s", (name, sdp) => {
  const [opus, vp8, directions] = expected[name] ?? expect.fail(`What the answer to ${name} must be is missing.`);

  test.each(Object.entries(spellings))("%s gets a valid answer, without and with video", async (_, spell) => {
    const offer = spell(sdp);
    for (const acceptsVideo of [false, true]) {
      const { peer } = openPeer({ hostAddress: "127.0.0.1" }, createMdnsResolver(loopback));
      const sections = readAnswer(await peer.answer(offer, acceptsVideo), offer);
      const byOrder = offer.indexOf("m=application") < offer.indexOf("m=audio") ? sections.toReversed() : sections;
      const wanted = acceptsVideo ? directions : directions.replaceAll("recvonly", "inactive");
      expect(byOrder.map(directionOf).join(" ")).toBe(wanted);
      for (const { media, port, formats, lines } of byOrder) {
        expect(port).toBe(9);
        if (media === "application") {
          expect(lines).toContain("a=max-message-size:65536");
          continue;
        }
        const served = media === "audio" ? opus : vp8;
        if (!lines.includes("a=inactive")) expect(formats).toEqual([`${served}`]);
        expect(lines).toContain("a=rtcp-mux");
        // A format without its codec would mean nothing to a client.
        expect(lines.filter((line) => line.startsWith(`a=rtpmap:${formats[0]} `))).toHaveLength(1);
      }
      const setup = sdp === esp32 ? "active" : "passive";
      expect(new Set(sections.flatMap((section) => values(section, "setup")))).toEqual(new Set([setup]));
      expect(peer.offersChannel).toBe(directions.endsWith("data"));
    }
  });

  test("is bundled whole, with the candidates in the first section", async () => {
    const answer = await openPeer({}, createMdnsResolver(loopback)).peer.answer(sdp);
    const group = /^a=group:BUNDLE.*/m;
    expect(answer.match(group)?.[0]).toBe(sdp.match(group)?.[0]);
    const sections = readAnswer(answer, sdp);
    const withCandidates = sections.map((section) => values(section, "candidate").length > 0);
    expect(withCandidates).toEqual(sections.map((_, index) => index === 0));
  });
});

function directionOf({ media, lines }: { readonly media: string; readonly lines: readonly string[] }): string {
  if (media === "application") return "data";
  return lines.find((line) => /^a=(sendrecv|sendonly|recvonly|inactive)$/.test(line))?.slice(2) ?? "none";
}

test("the iOS client's media line repeats payload types, names types without a codec, and ends with LF", () => {
  expect(ios).toMatch(/^m=video 9 UDP\/TLS\/RTP\/SAVPF 96 97 98 99 100 101 127 103 104 105 106 100 101\n/m);
  expect(ios.match(/^a=rtpmap:\d+ (VP8|H264|VP9|rtx)/gm)).toEqual(["a=rtpmap:100 VP8", "a=rtpmap:101 rtx"]);
  expect(chromium).not.toMatch(/[^\r]\n/);
});

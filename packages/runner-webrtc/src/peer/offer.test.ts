import { describe, expect, test } from "vitest";
import { leastProcessorMs } from "../../../runner-core/src/test/processor-time.ts";
import { parseOffer } from "./offer.ts";
import { chromium, esp32, firefox, safari, voiceAlone, whatsapp } from "./test/offers.ts";

describe("parsing the offer of", () => {
  test.each([
    ["Chromium", chromium, { opusPayloadType: 111, ssrc: 1_001, setup: "actpass" }, 262_144],
    ["Firefox", firefox, { opusPayloadType: 109, ssrc: 3_405_691_582, setup: "actpass" }, 1_073_741_823],
    ["Safari", safari, { opusPayloadType: 96, ssrc: undefined, setup: "actpass" }, 65_536],
    ["the ESP32", esp32, { opusPayloadType: 111, ssrc: 6, setup: "passive" }, 262_144],
    ["WhatsApp", whatsapp, { opusPayloadType: 111, ssrc: 3_435_760_938, setup: "actpass" }, undefined],
    ["an audio-only page", voiceAlone, { opusPayloadType: 111, ssrc: undefined, setup: "active" }, undefined],
  ])("%s", (_, text, audio, maxMessageBytes) => {
    const offer = parseOffer(text);
    expect(offer.audio).toMatchObject(audio);
    expect(offer.data?.maxMessageBytes).toBe(maxMessageBytes);
  });

  test("a section's ICE credentials override the session's", () => {
    const own = esp32.replace("a=mid:audio", "a=mid:audio\r\na=ice-ufrag:mine");
    expect(parseOffer(own).audio.usernameFragment).toBe("mine");
  });

  test("an empty mid counts as missing", () => {
    const [audio] = parseOffer(chromium.replace("a=mid:0", "a=mid:").replace("BUNDLE 0 ", "BUNDLE ")).sections;
    expect(audio).toMatchObject({ mid: "section-0", midOffered: false });
  });

  test("a bundle has no section without a mid, whatever the group says", () => {
    const named = voiceAlone.replace("t=0 0", "t=0 0\r\na=group:BUNDLE section-0");
    expect(parseOffer(named).bundle).toEqual([]);
  });

  test("a bundle is limited to the offer's sections", () => {
    const unknown = Array.from({ length: 20_000 }, (_, index) => `x${index}`).join(" ");
    expect(parseOffer(chromium.replace("BUNDLE 0 1 2", `BUNDLE 0 ${unknown} 1 0 2`)).bundle).toEqual(["0", "1", "2"]);
  });

  describe("with video", () => {
    const [head = "", audio = "", video = "", data = ""] = chromium.split(/(?=^m=)/m);
    const named = video.replace("a=rtcp-mux", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtcp-mux");
    const screen = named.replace("a=mid:1", "a=mid:3").replace("a=sendrecv", "a=sendonly");
    const offer = [head.replace("BUNDLE 0 1 2", "BUNDLE 0 1 3 2"), audio, named, screen, data].join("");
    const videoOf = (text: string) =>
      parseOffer(text).video.map(({ source, mid, vp8PayloadType, midExtension, ssrc }) => [
        source,
        mid,
        vp8PayloadType,
        midExtension,
        ssrc,
      ]);

    test("finds the camera first, then the screen", () => {
      expect(videoOf(offer)).toEqual([
        ["camera", "1", 96, 4, undefined],
        ["screen", "3", 96, 4, undefined],
      ]);
      expect(videoOf(chromium)).toEqual([["camera", "1", 96, undefined, undefined]]);
      expect(videoOf(voiceAlone)).toEqual([]);
    });

    test("finds the source that is announced, and another payload type", () => {
      const other = offer.replaceAll(/96/g, "120").replace("a=mid:1", "a=mid:1\r\na=ssrc:77 cname:x");
      expect(videoOf(other)[0]).toEqual(["camera", "1", 120, 4, 77]);
    });

    test.each([
      ["without VP8", named, named.replaceAll("VP8/90000", "H264/90000")],
      ["that only receives", named, named.replace("a=sendrecv", "a=recvonly")],
      ["that is inactive", named, named.replace("a=sendrecv", "a=inactive")],
      ["that the caller rejected", named, named.replace("m=video 9", "m=video 0")],
      ["without encryption", named, named.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")],
      ["whose payload type is that of the audio", named, named.replaceAll("96", "111")],
      ["outside the bundle", "BUNDLE 0 1 3 2", "BUNDLE 0 3 2"],
    ])("leaves out a section %s, and still finds the screen in the second one", (_, from, to) => {
      expect(videoOf(offer.replace(from, to)).map(([source]) => source)).toEqual(["screen"]);
    });

    test("leaves out a third section", () => {
      const third = [offer, screen.replace("a=mid:3", "a=mid:4")]
        .join("")
        .replace("BUNDLE 0 1 3 2", "BUNDLE 0 1 3 2 4");
      expect(videoOf(third)).toHaveLength(2);
    });
  });

  test("64 candidates are tried", () => {
    const candidates = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n".repeat(100);
    expect(parseOffer(voiceAlone + candidates).audio.candidates).toHaveLength(64);
  });

  test("a maximum message size of 0 means unlimited", () => {
    expect(parseOffer(chromium.replace("size:262144", "size:0")).data?.maxMessageBytes).toBe(Number.POSITIVE_INFINITY);
  });

  test("one certificate may have fingerprints by several algorithms", () => {
    const digest = Array.from({ length: 64 }, () => "AB").join(":");
    const both = voiceAlone.replace("a=setup", `a=fingerprint:sha-512 ${digest}\r\na=setup`);
    expect(parseOffer(both).audio.fingerprints).toHaveLength(2);
  });
});

describe("an invalid offer is rejected with the reason:", () => {
  const without = (name: string): string => chromium.replaceAll(new RegExp(`^a=${name}.*\r\n`, "gm"), "");
  const other = "AA:".repeat(31);
  test.each([
    ["nothing", "", "is not SDP"],
    ["garbage", "hello", '"hello"'],
    ["a broken line", chromium.replace("s=-", "rubbish"), "line 3"],
    ["cut off before the audio", chromium.slice(0, chromium.indexOf("m=audio")), "no audio"],
    ["cut off within a media line", chromium.slice(0, chromium.indexOf("m=audio") + 9), "not a complete media line"],
    ["cut off before the fingerprint", chromium.slice(0, chromium.indexOf("a=fingerprint")), "Opus|fingerprint"],
    ["video only", chromium.replace("m=audio", "m=video"), "no audio"],
    [
      "4,001 lines",
      voiceAlone + "a=x\r\n".repeat(4_001 - voiceAlone.split("\r\n").length + 1),
      "4001 lines. The maximum is 4000",
    ],
    ["a long section name", chromium.replace("a=mid:0", `a=mid:${"x".repeat(256)}`), "a=mid of more than 255"],
    ["rejected audio", chromium.replace("m=audio 9", "m=audio 0"), "no audio"],
    ["two fingerprints", chromium.replace(/sha-256 \S+/, `sha-256 ${other}AA`), "two different sha-256 fingerprints"],
    ["a malformed fingerprint", voiceAlone.replace(/sha-256 \S+/, "sha-256 AB:CD"), "malformed fingerprint"],
    ["no Opus", chromium.replaceAll("opus/48000/2", "speex/16000"), "speex/16000"],
    ["no ICE user", without("ice-ufrag"), "a=ice-ufrag"],
    ["no ICE password", without("ice-pwd"), "a=ice-pwd"],
    ["no fingerprint", without("fingerprint"), "no a=fingerprint"],
    ["no encryption", voiceAlone.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "not encrypted"],
    ["an unknown DTLS role", voiceAlone.replace("setup:active", "setup:holdconn"), "holdconn"],
    ["two sections with one mid", chromium.replace("a=mid:1", "a=mid:0"), "same a=mid"],
    ["a thousand sections", chromium + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n".repeat(1_000), "1003 sections"],
  ])("%s", (_, text, reason) => {
    expect(() => parseOffer(text)).toThrow(
      expect.objectContaining({
        code: "OFFER_INVALID",
        status: 400,
        fix: expect.any(String),
        message: expect.stringMatching(reason),
      }),
    );
  });

  test("1 MB of any lines is parsed or rejected within 150 ms", async () => {
    const shapes = [
      "a",
      "a=\r\n",
      "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
      "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n",
    ];
    for (const shape of shapes)
      for (const size of [1_048_576, 131_000]) {
        const text = (voiceAlone + shape.repeat(size / shape.length)).slice(0, size);
        const parse = () => {
          try {
            parseOffer(text);
          } catch (error) {
            expect(error).toMatchObject({ code: "OFFER_INVALID" });
          }
        };
        expect(await leastProcessorMs(parse)).toBeLessThan(150);
      }
  });
});

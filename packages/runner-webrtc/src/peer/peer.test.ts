import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createMdnsResolver } from "./mdns.ts";
import { readAnswer, values } from "./test/answer-reader.ts";
import { loopback, startMdnsResponder } from "./test/mdns-responder.ts";
import { chromium, esp32, voiceAlone, whatsapp } from "./test/offers.ts";
import { exchangeAudio, openCall, openPeer } from "./test/peer-fixture.ts";
import { createPeerCaller, silence } from "./werift/peer-caller.ts";

/** SRTP protection profiles (RFC 5764, section 4.1.2, and RFC 7714, section 14.2). */
const aesCm = 1;
const aesGcm = 7;

describe("a call", () => {
  test("carries audio both ways, from the source in the answer", async () => {
    const call = await openCall();
    await exchangeAudio(call);
    expect([...(call.events.audio[0]?.payload ?? [])]).toEqual([...silence]);
    const ssrc = call.caller.connection.remoteDescription?.sdp.match(/a=ssrc:(\d+)/)?.[1];
    expect(call.caller.packets.map(({ header }) => String(header.ssrc))).toContain(ssrc);
    expect(new Set(call.caller.packets.map(({ header }) => header.ssrc)).size).toBe(1);
  });

  test("is encrypted with AES-GCM, or with AES-CM if the caller supports nothing else", async () => {
    const browsers = await openCall();
    await exchangeAudio(browsers);
    expect(browsers.caller.connection.dtlsTransports[0]?.dtls?.srtp.srtpProfile).toBe(aesGcm);
    const { peer, events } = openPeer();
    const device = createPeerCaller();
    onTestFinished(() => device.close());
    const offer = await device.offer();
    Object.assign(device.connection.dtlsTransports[0] ?? {}, { srtpProfiles: [aesCm] });
    await device.accept(await peer.answer(offer));
    await exchangeAudio({ peer, caller: device, events });
    expect(device.connection.dtlsTransports[0]?.dtls?.srtp.srtpProfile).toBe(aesCm);
  });

  test("carries text both ways, and reports that the caller closed its channel", async () => {
    const { peer, caller, events } = await openCall();
    await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
    caller.channel?.send("hello");
    caller.channel?.send(Buffer.from("höre mich, in binary"));
    peer.sendText("welcome");
    await vi.waitFor(() =>
      expect([events.texts, caller.texts]).toEqual([["hello", "höre mich, in binary"], ["welcome"]]),
    );
    expect(peer.maxMessageBytes).toBe(65_536);
    caller.channel?.close();
    await vi.waitFor(() => expect(events.channel).toEqual(["open", "closed"]), { timeout: 200 });
    expect(() => peer.sendText("too late")).toThrow("no open data channel");
  });

  test("carries video only while it is wanted, from the right section, and requests key frames", async () => {
    const { peer, events } = openPeer();
    const caller = createPeerCaller({ videoSections: 2 });
    onTestFinished(() => caller.close());
    await caller.accept(await peer.answer(await caller.offer(), true));
    await vi.waitFor(() => expect(peer.state).toBe("connected"), { timeout: 4_000 });
    expect(peer.video.offered).toEqual(["camera", "screen"]);
    let sequenceNumber = 65_500;
    const send = () => {
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      for (const index of [0, 1])
        caller.sendVideo({ payload: Uint8Array.of(0x10, index), sequenceNumber, timestamp: 7, marker: true }, index);
    };
    for (let count = 0; count < 320; count++) send();
    await exchangeAudio({ peer, caller, events });
    expect(events.video.length).toBeLessThanOrEqual(20);
    peer.video.receive(true);
    const before = events.video.length;
    for (let count = 0; count < 10; count++) send();
    await vi.waitFor(() => expect(events.video.length).toBe(before + 20));
    for (const [index, source] of (["camera", "screen"] as const).entries())
      expect(events.video.findLast((packet) => packet.source === source)).toMatchObject({
        payload: Buffer.of(0x10, index),
        sequenceNumber,
        marker: true,
      });
    expect(peer.video.requestKeyFrame("screen")).toBe(true);
    await vi.waitFor(() => expect([caller.keyFrameRequests(0), caller.keyFrameRequests(1)]).toEqual([0, 1]));
  });

  test("uses the data channel that the caller opened last", async () => {
    const { peer, caller, events } = await openCall();
    await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
    const second = caller.connection.createDataChannel("another");
    const texts: string[] = [];
    second.onMessage.subscribe((text) => texts.push(text.toString()));
    await vi.waitFor(() => expect(events.channel).toEqual(["open", "open"]));
    peer.sendText("here");
    await vi.waitFor(() => expect(texts).toEqual(["here"]));
    caller.channel?.close();
    second.send("still");
    await vi.waitFor(() => expect(events.texts).toEqual(["still"]));
    expect(events.channel).toEqual(["open", "open"]);
  });

  test("works without a data channel", async () => {
    await exchangeAudio(await openCall({}, { dataChannel: false }));
  });

  test("continues through a renegotiation and an ICE restart, with consecutive sequence numbers", async () => {
    const call = await openCall();
    await exchangeAudio(call);
    for (const iceRestart of [false, true, false, true]) {
      const before = call.caller.connection.remoteDescription?.sdp;
      const answer = await call.peer.answer(await call.caller.offer({ iceRestart }));
      await call.caller.accept(answer);
      expect(answer.includes(before?.match(/a=ice-ufrag:.*/)?.[0] ?? "none")).toBe(!iceRestart);
      await exchangeAudio(call);
    }
    const numbers = call.caller.packets.map(({ header }) => header.sequenceNumber);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(call.events.states).toEqual(["connecting", "connected"]);
  });

  test("connects if ICE restarts before it has a candidate pair", async () => {
    // werift checks pairs every 20 ms. The outcome depends on when in that interval the restart comes.
    const calls = Array.from({ length: 10 }, async (_, index) => {
      const { peer, events } = openPeer();
      const caller = createPeerCaller();
      onTestFinished(() => caller.close());
      await peer.answer(await caller.offer());
      await new Promise((resolve) => setTimeout(resolve, 3 * index));
      await caller.accept(await peer.answer(await caller.offer({ iceRestart: true })));
      await exchangeAudio({ peer, caller, events });
    });
    await Promise.all(calls);
  });

  test("continues after a loss during which sequence numbers wrapped", async () => {
    const call = await openCall({}, { sequenceNumber: 65_300 });
    await exchangeAudio(call);
    const restore = call.caller.cut();
    for (let count = 0; count < 300; count++) call.caller.sendAudio(silence);
    await new Promise((resolve) => setImmediate(resolve));
    restore();
    await exchangeAudio(call);
  });

  test.each([
    ["", {}],
    [" of an ICE lite caller", { iceLite: true }],
  ])("gets a data channel with a later offer%s", async (_, calling) => {
    const call = await openCall({}, { dataChannel: false, ...calling });
    const { peer, caller, events } = call;
    const late = caller.connection.createDataChannel("late");
    await caller.accept(await peer.answer(await caller.offer()));
    await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
    late.send("hello");
    await vi.waitFor(() => expect(events.texts).toEqual(["hello"]));
    await exchangeAudio(call);
  });

  test("rejects an offer with another certificate", async () => {
    const { peer } = await openCall();
    await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "OFFER_INVALID", status: 400 });
    expect(peer.state).toBe("connected");
  });

  test("ends when the peer closes, and releases its sockets", async () => {
    const { peer, events } = await openCall();
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
    const before = sockets();
    await Promise.all([peer.close(), peer.close()]);
    // A closed socket is released at the end of the event loop's turn.
    await vi.waitFor(() => expect(sockets()).toBe(before / 2));
    expect(events.states.at(-1)).toBe("closed");
    peer.sendAudio(silence, 0);
    await expect(peer.answer(voiceAlone)).rejects.toMatchObject({ code: "CALL_ENDED" });
  });
});

test("an exception of the listener is logged as `err`, and the call continues", async () => {
  const logger = createRecordingLogger();
  const call = await openCall({ logger });
  await vi.waitFor(() => expect(call.events.channel).toEqual(["open"]));
  const error = new Error("from the listener");
  vi.spyOn(call.events.texts, "push").mockImplementationOnce(() => {
    throw error;
  });
  call.caller.channel?.send("first");
  call.caller.channel?.send("second");
  await vi.waitFor(() => expect(call.events.texts).toEqual(["second"]));
  expect(logger.lines).toContainEqual({
    level: "error",
    fields: { err: error },
    message: "webrtc peer listener failed",
  });
});

test("a peer releases its sockets after data moved to the transport of the audio", async () => {
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
  await vi.waitFor(() => expect(sockets()).toBe(0));
  const { peer } = openPeer();
  await peer.answer(chromium.replace(/a=group.*\r\n/, ""));
  await peer.answer(chromium);
  await peer.close();
  await vi.waitFor(() => expect(sockets()).toBe(0));
});

/** The sections of Chromium's offer. */
function parts(offer: string): { readonly audio: string; readonly video: string; readonly data: string } {
  const [audio = "", video = "", data = ""] = offer.split(/^(?=m=)/m).slice(1);
  return { audio, video, data };
}

const answerTo: Readonly<Record<string, string>> = {
  sendonly: "recvonly",
  recvonly: "sendonly",
  sendrecv: "sendrecv",
  inactive: "inactive",
};

describe("an offer", () => {
  test("with other media gets it back inactive, with the transport of the bundle", async () => {
    const { audio, video, data } = parts(chromium);
    const another = audio.replace("a=mid:0", "a=mid:3").replaceAll("a=ssrc:1001", "a=ssrc:1003");
    const slides = video.replace("a=mid:1", "a=mid:4");
    const text = "m=text 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:5\r\na=rtpmap:98 t140/1000\r\n";
    const head = chromium.slice(0, chromium.indexOf("m=")).replace("BUNDLE 0 1 2", "BUNDLE 1 0 3 4 5 2");
    const offer = [head, video, audio, another, slides, text, data].join("");
    const sections = readAnswer(await openPeer().peer.answer(offer), offer);
    expect(sections.map(({ port }) => port)).toEqual([9, 9, 9, 9, 9, 9]);
    const inactive = sections.filter(({ lines }) => lines.includes("a=inactive"));
    expect(inactive.map((section) => values(section, "mid"))).toEqual([["1"], ["3"], ["4"], ["5"]]);
    expect(inactive.map((section) => values(section, "rtpmap").length)).toEqual([1, 1, 1, 1]);
    for (const { lines } of inactive) expect(lines).toContain("a=rtcp-mux");
    // The first section of the bundle has the candidates, also if it is inactive (RFC 9143, section 7.3.3).
    expect(sections.map((section) => values(section, "candidate").length > 0)).toEqual([true, ...Array(5).fill(false)]);
  });

  test("with video gets VP8 accepted if the bot wants video, and other codecs never", async () => {
    const { audio, video, data } = parts(chromium);
    const named = video.replace("a=rtcp-mux", "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid\r\na=rtcp-mux");
    const h264 = named.replaceAll("VP8/90000", "H264/90000").replace("a=mid:1", "a=mid:3");
    const screen = named.replace("a=sendrecv", "a=sendonly").replace("a=mid:1", "a=mid:3");
    const head = chromium.slice(0, chromium.indexOf("m=")).replace("BUNDLE 0 1 2", "BUNDLE 0 1 3 2");
    const directions = (sections: ReturnType<typeof readAnswer>) =>
      sections.slice(1, 3).map(({ lines }) => lines.find((line) => /^a=(recvonly|inactive)$/.test(line)));
    for (const [second, accepts, expected] of [
      [screen, false, ["a=inactive", "a=inactive"]],
      [screen, true, ["a=recvonly", "a=recvonly"]],
      [h264, true, ["a=recvonly", "a=inactive"]],
    ] as const) {
      const offer = [head, audio, named, second, data].join("");
      const { peer } = openPeer();
      const sections = readAnswer(await peer.answer(offer, accepts), offer);
      expect(directions(sections)).toEqual(expected);
      expect(peer.video.accepted).toBe(accepts);
      expect(peer.video.offered).toEqual(second === h264 ? ["camera"] : ["camera", "screen"]);
      if (!accepts) continue;
      expect(sections[1]?.formats).toEqual(["96"]);
      expect(values(sections[1], "rtpmap")).toEqual(["96 VP8/90000"]);
      expect(values(sections[1], "extmap")).toEqual(["4 urn:ietf:params:rtp-hdrext:sdes:mid"]);
      expect(sections[1]?.lines[2]).toBe("b=AS:1000");
    }
  });

  test("with media outside its bundle gets it back rejected", async () => {
    const offer = chromium.replace("BUNDLE 0 1 2", "BUNDLE 0 2");
    const sections = readAnswer(await openPeer().peer.answer(offer), offer);
    expect(sections.map(({ port }) => port)).toEqual([9, 0, 9]);
  });

  test.each([
    ["sendonly", "recvonly"],
    ["recvonly", "sendonly"],
    ["recvonly", "sendrecv"],
    ["inactive", "sendrecv"],
  ])("with audio sections that are %s and %s gets both directions", async (first, second) => {
    const { audio, data } = parts(chromium);
    const another = audio.replace("a=mid:0", "a=mid:1").replace("a=sendrecv", `a=${second}`);
    const head = chromium.slice(0, chromium.indexOf("m="));
    const offer = [head, audio.replace("a=sendrecv", `a=${first}`), another, data].join("");
    const sections = readAnswer(await openPeer().peer.answer(offer), offer).slice(0, 2);
    const directions = sections.map(({ lines }) => lines.find((line) => /^a=(sendrecv|.*only|inactive)$/.test(line)));
    expect(directions).toEqual([`a=${answerTo[first]}`, first === "recvonly" ? "a=recvonly" : `a=${answerTo[second]}`]);
    // The source belongs to the section that we send on.
    const sources = sections.map((section) => values(section, "ssrc").length);
    expect(sources).toEqual(directions.map((direction) => (/send/.test(direction ?? "") ? 1 : 0)));
  });

  test.each([
    ["moves data into the bundle", chromium.replace("BUNDLE 0 1 2", "BUNDLE 0 1"), chromium],
    [
      "leaves out the group",
      chromium.slice(0, chromium.indexOf("m=video")),
      chromium.slice(0, chromium.indexOf("m=video")).replace(/a=group.*\r\n/, ""),
    ],
    ["leaves out the data", chromium, chromium.slice(0, chromium.indexOf("m=video"))],
    ["renames the sections", chromium, chromium.replaceAll(/mid:(\d)/g, "mid:a$1").replace("0 1 2", "a0 a1 a2")],
    [
      "puts the data first",
      chromium,
      `${chromium.slice(0, chromium.indexOf("m="))}${parts(chromium).data}${parts(chromium).audio}`,
    ],
  ])("that %s is answered", async (_, first, second) => {
    const { peer } = openPeer();
    readAnswer(await peer.answer(first), first);
    readAnswer(await peer.answer(second), second);
  });

  test("that removes data from the bundle is rejected", async () => {
    const { peer } = openPeer();
    await peer.answer(chromium);
    const separate = chromium.replace("BUNDLE 0 1 2", "BUNDLE 0 1");
    await expect(peer.answer(separate)).rejects.toMatchObject({ code: "OFFER_INVALID" });
    readAnswer(await peer.answer(chromium), chromium);
  });

  test("that is invalid is rejected, and the next one is answered", async () => {
    const { peer, events } = openPeer();
    await expect(peer.answer("v=0\r\n")).rejects.toMatchObject({ code: "OFFER_INVALID" });
    readAnswer(await peer.answer(chromium), chromium);
    expect(events.states).toEqual(["connecting"]);
  });
});

describe("candidates", () => {
  test("that arrive before the offer are used, and unusable ones are counted", async () => {
    const { peer } = openPeer();
    const caller = createPeerCaller();
    onTestFinished(() => caller.close());
    const offer = await caller.offer();
    const candidates = offer.match(/candidate:.*/g) ?? [];
    for (const candidate of candidates) peer.addCandidate({ candidate, sdpMid: "0", sdpMLineIndex: 0 });
    await caller.accept(await peer.answer(offer.replaceAll(/a=candidate.*\r\n|a=end-of.*\r\n/g, "")));
    for (const candidate of ["", "garbage", "candidate:1 1 tcp 1 192.0.2.9 9 typ host tcptype active"])
      peer.addCandidate({ candidate, sdpMid: "0" });
    peer.addCandidate({ candidate: "candidate:1 1 udp 1 192.0.2.9 9 typ host", sdpMid: "of another" });
    await vi.waitFor(() => expect(peer.state).toBe("connected"));
    // The end of candidates does not count. An unknown mid without an index falls back to the audio section.
    expect(peer.counters.candidatesIgnored).toBe(2);
  });

  test("beyond 512 after one offer are ignored, and those of the next offer are used", async () => {
    const { peer } = openPeer();
    await peer.answer(voiceAlone);
    for (let count = 0; count < 600; count++)
      peer.addCandidate({ candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMLineIndex: 0 });
    expect(peer.counters.candidatesIgnored).toBe(600 - 512);
    await peer.answer(voiceAlone);
    peer.addCandidate({ candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host", sdpMLineIndex: 0 });
    expect(peer.counters.candidatesIgnored).toBe(600 - 512);
  });

  test.each(["in the offer", "trickled"])("with an mDNS name %s are tried at the resolved address", async (how) => {
    await startMdnsResponder("a-b.local", "127.0.0.1");
    const caller = createSocket("udp4").bind(0, "127.0.0.1");
    onTestFinished(() => void caller.close());
    await once(caller, "listening");
    const candidate = `candidate:1 1 udp 2122260223 a-b.local ${caller.address().port} typ host`;
    const { peer } = openPeer({ hostAddress: "127.0.0.1" }, createMdnsResolver(loopback));
    await peer.answer(how === "trickled" ? voiceAlone : `${voiceAlone}a=${candidate}\r\n`);
    if (how === "trickled") peer.addCandidate({ candidate, sdpMLineIndex: 0 });
    const [check] = await once(caller, "message", { signal: AbortSignal.timeout(4_000) });
    // A binding request whose username starts with the caller's fragment (RFC 8445, section 7.2.2).
    expect(check.readUInt16BE(0)).toBe(1);
    expect(check.includes("Yx3d:")).toBe(true);
    expect(peer.counters.candidatesIgnored).toBe(0);
  });
});

describe("DTLS", () => {
  test("starts on our side with opensDtls, if the offer allows it", async () => {
    const setups = [whatsapp, esp32, voiceAlone].map(async (offer) => {
      const sections = readAnswer(await openPeer({ opensDtls: true }).peer.answer(offer), offer);
      return values(sections[0], "setup")[0];
    });
    expect(await Promise.all(setups)).toEqual(["active", "active", "passive"]);
  });

  test("starts on our side with an ICE lite caller", async () => {
    await exchangeAudio(await openCall({ opensDtls: true }, { iceLite: true, dataChannel: false }));
  });
});

describe("addresses", () => {
  test("are limited to hostAddress", async () => {
    const { peer } = openPeer({ hostAddress: "127.0.0.1" });
    const answer = await peer.answer(chromium);
    expect(answer.match(/a=candidate:.*/g)).toEqual([expect.stringMatching(/ 127\.0\.0\.1 \d+ typ host$/)]);
  });

  test("are replaced with announceIp", async () => {
    const { peer } = openPeer({ announceIp: "203.0.113.9" });
    const answer = await peer.answer(chromium);
    expect(answer.match(/a=candidate:.*/g)).toEqual([expect.stringMatching(/ 203\.0\.113\.9 \d+ typ host$/)]);
  });

  test("use the allowed ports, and the offer is rejected if all are in use", async () => {
    const holder = createSocket("udp4").bind(0, "0.0.0.0");
    await once(holder, "listening");
    const { port } = holder.address();
    const { peer, events } = openPeer({ announceIp: "203.0.113.9", udpPorts: [port, port] });
    await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "UDP_PORTS_EXHAUSTED", status: 503 });
    expect(peer.state).toBe("new");
    holder.close();
    await once(holder, "close");
    readAnswer(await peer.answer(chromium), chromium);
    expect(events.states).toEqual(["connecting"]);
  });

  test("that a later offer cannot get leave the call as it is", async () => {
    const holder = createSocket("udp4").bind(41_100, "127.0.0.1");
    await once(holder, "listening");
    const call = await openCall({ hostAddress: "127.0.0.1", udpPorts: [41_100, 41_101] }, { dataChannel: false });
    await exchangeAudio(call);
    const offer = await call.caller.offer();
    const transport = offer.match(/a=(ice-ufrag|ice-pwd|fingerprint|setup):.*\r\n/g) ?? [];
    // Data on a transport of its own, which needs another port, and another payload type for Opus.
    const another = [
      offer.replaceAll(/(?<=SAVPF |rtpmap:|fmtp:|rtcp-fb:)96/g, "97"),
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
      ...transport,
      "a=mid:data\r\na=sctp-port:5000\r\n",
    ].join("");
    await expect(call.peer.answer(another)).rejects.toMatchObject({ code: "UDP_PORTS_EXHAUSTED" });
    await exchangeAudio(call);
    holder.close();
    await once(holder, "close");
    readAnswer(await call.peer.answer(another), another);
  });

  test("of simultaneous calls have different ports", async () => {
    const ports: readonly [number, number] = [41_000, 41_063];
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => openPeer({ udpPorts: ports }).peer.answer(chromium)),
    );
    const used = answers.flatMap((answer) => answer.match(/(?<=udp \d+ )\S+ \d+/g) ?? []);
    expect(new Set(used).size).toBe(used.length);
    for (const address of used) {
      expect(Number(address.split(" ")[1])).toBeGreaterThanOrEqual(ports[0]);
      expect(Number(address.split(" ")[1])).toBeLessThanOrEqual(ports[1]);
    }
  });
});

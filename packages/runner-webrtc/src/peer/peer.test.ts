import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { createMdnsResolver } from "./mdns.ts";
import { readAnswer, values } from "./test/answer-reader.ts";
import { loopback, startBrowser } from "./test/mdns-browser.ts";
import { chromium, esp32, firefox, safari, voiceAlone, whatsapp } from "./test/offers.ts";
import { createPeerCaller, silence } from "./test/peer-caller.ts";
import { hearEachOther, openCall, openPeer } from "./test/peer-stage.ts";

/** SRTP's ciphers by their numbers in DTLS (RFC 5764, section 4.1.2, and RFC 7714, section 14.2). */
const aesCm = 1;
const aesGcm = 7;

describe("a call", () => {
  test("carries audio both ways, from the source that the answer names", async () => {
    const call = await openCall();
    await hearEachOther(call);
    expect([...(call.heard.audio[0]?.payload ?? [])]).toEqual([...silence]);
    const ssrc = call.caller.connection.remoteDescription?.sdp.match(/a=ssrc:(\d+)/)?.[1];
    expect(call.caller.packets.map(({ header }) => String(header.ssrc))).toContain(ssrc);
    expect(new Set(call.caller.packets.map(({ header }) => header.ssrc)).size).toBe(1);
  });

  test("is encrypted with AES-GCM where the caller knows it, as browsers do, and with AES-CM where not", async () => {
    const browsers = await openCall();
    await hearEachOther(browsers);
    expect(browsers.caller.connection.dtlsTransports[0]?.dtls?.srtp.srtpProfile).toBe(aesGcm);
    const { peer, heard } = openPeer();
    const device = createPeerCaller();
    onTestFinished(() => device.close());
    const offer = await device.offer();
    Object.assign(device.connection.dtlsTransports[0] ?? {}, { srtpProfiles: [aesCm] });
    await device.accept(await peer.answer(offer));
    await hearEachOther({ peer, caller: device, heard });
    expect(device.connection.dtlsTransports[0]?.dtls?.srtp.srtpProfile).toBe(aesCm);
  });

  test("carries text both ways, and tells when the caller closes its channel", async () => {
    const { peer, caller, heard } = await openCall();
    await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
    caller.channel?.send("hello");
    peer.sendText("welcome");
    await vi.waitFor(() => expect([heard.texts, caller.texts]).toEqual([["hello"], ["welcome"]]));
    expect(peer.maxMessageBytes).toBe(65_536);
    caller.channel?.close();
    await vi.waitFor(() => expect(heard.channel).toEqual(["open", "closed"]), { timeout: 200 });
    expect(() => peer.sendText("too late")).toThrow("no data channel");
  });

  test("listens to the channel that the caller opened last", async () => {
    const { peer, caller, heard } = await openCall();
    await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
    const second = caller.connection.createDataChannel("another");
    const texts: string[] = [];
    second.onMessage.subscribe((text) => texts.push(text.toString()));
    await vi.waitFor(() => expect(heard.channel).toEqual(["open", "open"]));
    peer.sendText("here");
    await vi.waitFor(() => expect(texts).toEqual(["here"]));
    caller.channel?.close();
    second.send("still");
    await vi.waitFor(() => expect(heard.texts).toEqual(["still"]));
    expect(heard.channel).toEqual(["open", "open"]);
  });

  test("goes on after messages that cannot be understood, which are counted", async () => {
    const { peer, caller, heard } = await openCall();
    await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
    // Protocol 50 is that which opens channels (RFC 8832); 2 acknowledges one that was never asked for.
    await caller.connection.sctpTransport?.sctp.send(77, 50, Buffer.of(2));
    caller.channel?.send("hello");
    await vi.waitFor(() => expect(heard.texts).toEqual(["hello"]));
    expect(peer.counters.messagesIgnored).toBe(1);
    expect(peer.state).toBe("connected");
  });

  test.each(["active", "passive"])("numbers no two records alike, the caller being %s", async (setup) => {
    const { peer } = openPeer();
    const caller = createPeerCaller();
    onTestFinished(() => caller.close());
    const offer = await caller.offer();
    const records = new Map<string, string>();
    const repeated: string[] = [];
    caller.onDatagram((bytes) => {
      // A DTLS record, encrypted: its type, its version, its epoch, and its number (RFC 6347, section 4.1).
      if ((bytes[0] ?? 0) < 20 || (bytes[0] ?? 0) > 63 || bytes.readUInt16BE(3) !== 1) return;
      const number = bytes.toString("hex", 5, 11);
      const record = bytes.toString("hex");
      if ((records.get(number) ?? record) !== record) repeated.push(number);
      records.set(number, record);
    });
    await caller.accept(await peer.answer(offer.replaceAll("a=setup:actpass", `a=setup:${setup}`)));
    await caller.connected(4_000);
    for (let count = 0; count < 20; count++) peer.sendText(String(count));
    await vi.waitFor(() => expect(caller.texts).toHaveLength(20));
    expect(repeated).toEqual([]);
  });

  test("without a data channel", async () => {
    await hearEachOther(await openCall({}, { dataChannel: false }));
  });

  test("goes on through another offer and through an ICE restart, its packets numbered on", async () => {
    const call = await openCall();
    await hearEachOther(call);
    for (const iceRestart of [false, true, false, true]) {
      const before = call.caller.connection.remoteDescription?.sdp;
      const answer = await call.peer.answer(await call.caller.offer({ iceRestart }));
      await call.caller.accept(answer);
      expect(answer.includes(before?.match(/a=ice-ufrag:.*/)?.[0] ?? "none")).toBe(!iceRestart);
      await hearEachOther(call);
    }
    const numbers = call.caller.packets.map(({ header }) => header.sequenceNumber);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(call.heard.states).toEqual(["connecting", "connected"]);
  });

  test.each(["actpass", "passive"])(
    "is set up though the network is so slow that all is said twice, setup:%s",
    async (setup) => {
      const { peer } = openPeer();
      const caller = createPeerCaller();
      onTestFinished(() => caller.close());
      const answer = await peer.answer((await caller.offer()).replaceAll("setup:actpass", `setup:${setup}`));
      caller.stutter();
      await caller.accept(answer);
      await vi.waitFor(() => expect(peer.state).toBe("connected"), { timeout: 4_000 });
      await caller.connected(4_000);
    },
  );

  test("is set up though ICE was restarted before it had found a way", async () => {
    // The engine looks for a way in steps of 20 ms: where in a step the restart comes decides what it makes of it.
    const calls = Array.from({ length: 10 }, async (_, index) => {
      const { peer, heard } = openPeer();
      const caller = createPeerCaller();
      onTestFinished(() => caller.close());
      await peer.answer(await caller.offer());
      await new Promise((resolve) => setTimeout(resolve, 3 * index));
      await caller.accept(await peer.answer(await caller.offer({ iceRestart: true })));
      await hearEachOther({ peer, caller, heard });
    });
    await Promise.all(calls);
  });

  test("is heard on after a loss in which the numbers of its packets came round", async () => {
    const call = await openCall({}, { sequenceNumber: 65_300 });
    await hearEachOther(call);
    const restore = call.caller.cut();
    for (let count = 0; count < 300; count++) call.caller.sendAudio(silence);
    await new Promise((resolve) => setImmediate(resolve));
    restore();
    await hearEachOther(call);
  });

  test.each([
    ["", {}],
    [", and runs ICE in its lite form", { iceLite: true }],
  ])("gets a data channel by another offer%s", async (_, calling) => {
    const call = await openCall({}, { dataChannel: false, ...calling });
    const { peer, caller, heard } = call;
    const late = caller.connection.createDataChannel("late");
    await caller.accept(await peer.answer(await caller.offer()));
    await vi.waitFor(() => expect(heard.channel).toEqual(["open"]));
    late.send("hello");
    await vi.waitFor(() => expect(heard.texts).toEqual(["hello"]));
    await hearEachOther(call);
  });

  test("another certificate is another caller", async () => {
    const { peer } = await openCall();
    await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "OFFER_INVALID", status: 400 });
    expect(peer.state).toBe("connected");
  });

  test("ends when the peer is closed, and nothing stays open", async () => {
    const { peer, heard } = await openCall();
    const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
    const before = sockets();
    await Promise.all([peer.close(), peer.close()]);
    // The system takes a closed socket back at the end of the event loop's turn.
    await vi.waitFor(() => expect(sockets()).toBe(before / 2));
    expect(heard.states.at(-1)).toBe("closed");
    peer.sendAudio(silence, 0);
    await expect(peer.answer(voiceAlone)).rejects.toMatchObject({ code: "CALL_ENDED" });
  });
});

test("nothing stays open of a peer whose data came by a way of its own at first, and then by that of the voice", async () => {
  const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
  await vi.waitFor(() => expect(sockets()).toBe(0));
  const { peer } = openPeer();
  await peer.answer(chromium.replace(/a=group.*\r\n/, ""));
  await peer.answer(chromium);
  await peer.close();
  await vi.waitFor(() => expect(sockets()).toBe(0));
});

describe("offers in the shape of", () => {
  test.each([
    ["Chromium's", chromium, "passive", [9, 0, 9]],
    ["Firefox's", firefox, "passive", [9, 9]],
    ["Safari's", safari, "passive", [9, 9]],
    ["the ESP32's", esp32, "active", [9, 9]],
    ["WhatsApp's", whatsapp, "passive", [9]],
    ["a page's with voice alone", voiceAlone, "passive", [9]],
  ])("%s are answered by all rules", async (_, offer, setup, ports) => {
    const { peer } = openPeer();
    const sections = readAnswer(await peer.answer(offer), offer);
    expect(sections.map(({ port }) => port)).toEqual(ports);
    expect(values(sections[0], "setup")).toEqual([setup]);
    expect(sections[0]?.lines).toContain("a=sendrecv");
    for (const section of sections.filter(({ media, port }) => media === "application" && port > 0))
      expect(values(section, "max-message-size")).toEqual(["65536"]);
  });

  test("none: it is refused, and the next one answered", async () => {
    const { peer, heard } = openPeer();
    await expect(peer.answer("v=0\r\n")).rejects.toMatchObject({ code: "OFFER_INVALID" });
    readAnswer(await peer.answer(chromium), chromium);
    expect(heard.states).toEqual(["connecting"]);
  });
});

describe("candidates", () => {
  test("that come early are kept, and those of no use counted", async () => {
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
    // Of the four, the end of candidates is no candidate; the one for an unknown section has no index to fall back on.
    expect(peer.counters.candidatesIgnored).toBe(2);
  });

  test.each(["in the offer", "trickled"])("that hide behind a name are tried where it leads to: %s", async (how) => {
    await startBrowser("a-b.local", "127.0.0.1");
    const caller = createSocket("udp4").bind(0, "127.0.0.1");
    onTestFinished(() => void caller.close());
    await once(caller, "listening");
    const candidate = `candidate:1 1 udp 2122260223 a-b.local ${caller.address().port} typ host`;
    const { peer } = openPeer({ hostAddress: "127.0.0.1" }, createMdnsResolver(loopback));
    await peer.answer(how === "trickled" ? voiceAlone : `${voiceAlone}a=${candidate}\r\n`);
    if (how === "trickled") peer.addCandidate({ candidate, sdpMLineIndex: 0 });
    const [check] = await once(caller, "message", { signal: AbortSignal.timeout(4_000) });
    // A binding request for the caller's part of the call's name (RFC 8445, section 7.2.2).
    expect(check.readUInt16BE(0)).toBe(1);
    expect(check.includes("Yx3d:")).toBe(true);
    expect(peer.counters.candidatesIgnored).toBe(0);
  });
});

describe("DTLS", () => {
  test("is opened by us where we are told to and the offer leaves it to us", async () => {
    const setups = [whatsapp, esp32, voiceAlone].map(async (offer) => {
      const sections = readAnswer(await openPeer({ opensDtls: true }).peer.answer(offer), offer);
      return values(sections[0], "setup")[0];
    });
    expect(await Promise.all(setups)).toEqual(["active", "active", "passive"]);
  });

  test("so opened, and with a caller that runs ICE in its lite form", async () => {
    await hearEachOther(await openCall({ opensDtls: true }, { iceLite: true, dataChannel: false }));
  });
});

describe("addresses", () => {
  test("may be narrowed to one of the host's", async () => {
    const { peer } = openPeer({ hostAddress: "127.0.0.1" });
    const answer = await peer.answer(chromium);
    expect(answer.match(/a=candidate:.*/g)).toEqual([expect.stringMatching(/ 127\.0\.0\.1 \d+ typ host$/)]);
  });

  test("the announced one stands in the host's place", async () => {
    const { peer } = openPeer({ announceIp: "203.0.113.9" });
    const answer = await peer.answer(chromium);
    expect(answer.match(/a=candidate:.*/g)).toEqual([expect.stringMatching(/ 203\.0\.113\.9 \d+ typ host$/)]);
  });

  test("ports are those allowed, and when all are taken an error says so", async () => {
    const holder = createSocket("udp4").bind(0, "0.0.0.0");
    await once(holder, "listening");
    const { port } = holder.address();
    const { peer, heard } = openPeer({ announceIp: "203.0.113.9", udpPorts: [port, port] });
    await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "UDP_PORTS_EXHAUSTED", status: 503 });
    expect(peer.state).toBe("new");
    holder.close();
    await once(holder, "close");
    readAnswer(await peer.answer(chromium), chromium);
    expect(heard.states).toEqual(["connecting"]);
  });

  test("that cannot be had for another offer leave the call as it is, and the next offer gets them", async () => {
    const holder = createSocket("udp4").bind(41_100, "127.0.0.1");
    await once(holder, "listening");
    const call = await openCall({ hostAddress: "127.0.0.1", udpPorts: [41_100, 41_101] }, { dataChannel: false });
    await hearEachOther(call);
    const offer = await call.caller.offer();
    const transport = offer.match(/a=(ice-ufrag|ice-pwd|fingerprint|setup):.*\r\n/g) ?? [];
    // Data by a way of its own, which takes a port of its own, and another number for Opus.
    const another = [
      offer.replaceAll(/(?<=SAVPF |rtpmap:|fmtp:|rtcp-fb:)96/g, "97"),
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n",
      ...transport,
      "a=mid:data\r\na=sctp-port:5000\r\n",
    ].join("");
    await expect(call.peer.answer(another)).rejects.toMatchObject({ code: "UDP_PORTS_EXHAUSTED" });
    await hearEachOther(call);
    holder.close();
    await once(holder, "close");
    readAnswer(await call.peer.answer(another), another);
  });

  test("calls at once get ports of their own", async () => {
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

  test("what others send to them is neither taken for the caller's nor harmful", async () => {
    const call = await openCall();
    await hearEachOther(call);
    const [, host = "", port] = call.caller.connection.remoteDescription?.sdp.match(/udp \d+ ([\d.]+) (\d+)/) ?? [];
    const stranger = createSocket("udp4").bind(0, host);
    onTestFinished(() => void stranger.close());
    await once(stranger, "listening");
    const alert = Buffer.from([21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]);
    const voice = Buffer.concat([Buffer.from([0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6]), Buffer.alloc(40)]);
    const request = Buffer.concat([Buffer.from("000100002112a442", "hex"), Buffer.alloc(12)]);
    for (const junk of [alert, voice, request, Buffer.alloc(0), Buffer.alloc(1_400, 255)])
      stranger.send(junk, Number(port), host);
    await vi.waitFor(() => expect(call.peer.counters.datagramsIgnored).toBe(5));
    await hearEachOther(call);
    expect(call.peer.state).toBe("connected");
  });
});

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import {
  Candidate,
  classes,
  Message,
  methods,
  parseMessage,
  type RTCDtlsTransport,
  RTCPeerConnection,
  StunOverTurnProtocol,
  type Transport,
  TurnProtocol,
} from "werift";
import { chromium } from "../../test/offers.ts";
import { exchangeAudio, openCall, openPeer } from "../../test/peer-fixture.ts";
import { openUdpTransport } from "../../udp-transport.ts";
import { createDatagramRates, filterRelay, filterSocket, isValidRtp } from "./datagram-filter.ts";
import { createStunProtocol } from "./own-sockets.ts";

/** An RTP header in hex, followed by `more` bytes. */
function packet(header: string, more: number): Buffer {
  return Buffer.concat([Buffer.from(header.replaceAll(" ", ""), "hex"), Buffer.alloc(more)]);
}

test.each([
  ["plain", packet("806f0001 00000000 00000001", 20)],
  ["with sources", packet("826f0001 00000000 00000001 00000002 00000003", 0)],
  ["with a browser's extensions", packet("906f0001 00000000 00000001 bede0008", 32 + 100)],
  ["with a source and an extension that fills the packet", packet("916f0001 00000000 00000001 00000002 10000001", 4)],
])("valid RTP: %s", (_, bytes) => {
  expect(isValidRtp(bytes)).toBe(true);
});

test.each([
  ["an incomplete header", packet("806f0001 00000000 000000", 0)],
  ["sources past the end", packet("8f6f0001 00000000 00000001", 59)],
  ["an extension of 262,140 bytes in a packet of 36", packet("906f0001 00000000 00000001 bedeffff", 20)],
  ["an extension past the end by a word", packet("906f0001 00000000 00000001 bede0006", 20)],
  ["an extension whose length is cut off", packet("906f0001 00000000 00000001 bede", 0)],
  ["sources without room for an extension", packet("946f0001 00000000 00000001", 16)],
  ["a complete but long extension", packet("906f0001 00000000 00000001 bede0100", 1_024)],
  ["a packet larger than an Ethernet frame", packet("806f0001 00000000 00000001", 2_048)],
])("invalid RTP: %s", (_, bytes) => {
  expect(isValidRtp(bytes)).toBe(false);
});

test("datagrams of other senders are ignored and counted, and the call continues", async () => {
  const call = await openCall();
  await exchangeAudio(call);
  const [, host = "", port] = call.caller.connection.remoteDescription?.sdp.match(/udp \d+ ([\d.]+) (\d+)/) ?? [];
  const stranger = createSocket("udp4").bind(0, host);
  onTestFinished(() => void stranger.close());
  await once(stranger, "listening");
  const alert = Buffer.from([21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 40]);
  const audio = Buffer.concat([Buffer.from([0x80, 96, 0, 1, 0, 0, 0, 1, 0, 0, 0, 6]), Buffer.alloc(40)]);
  const request = Buffer.concat([Buffer.from("000100002112a442", "hex"), Buffer.alloc(12)]);
  for (const datagram of [alert, audio, request, Buffer.alloc(0), Buffer.alloc(1_400, 255)])
    stranger.send(datagram, Number(port), host);
  await vi.waitFor(() => expect(call.peer.counters.datagramsIgnored).toBe(5));
  await exchangeAudio(call);
  expect(call.peer.state).toBe("connected");
});

test("media of the caller with an endless header extension does not block the process", async () => {
  const call = await openCall();
  await exchangeAudio(call);
  const start = performance.now();
  await call.caller.sendDatagram(packet("906f0001 00000000 00000001 bedeffff", 20));
  await vi.waitFor(() => expect(call.peer.counters.datagramsIgnored).toBe(1));
  await exchangeAudio(call);
  expect(performance.now() - start).toBeLessThan(1_000);
});

/** How many of `count` datagrams of a caller were ignored. Fails unless the call continues. */
async function countIgnored(count: number, datagram: Buffer): Promise<number> {
  const call = await openCall();
  await exchangeAudio(call);
  const ice = call.caller.connection.dtlsTransports[0]?.iceTransport.connection;
  const { protocol, remoteAddr } = ice?.nominated ?? expect.fail("The call has no pair.");
  const before = call.peer.counters.datagramsIgnored;
  for (let sent = 0; sent < count; sent++) {
    await protocol.sendData(datagram, remoteAddr);
    // The kernel's buffer holds some hundred datagrams.
    if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await exchangeAudio(call);
  return call.peer.counters.datagramsIgnored - before;
}

test("handshake datagrams of a caller are limited, and the call continues", async () => {
  // A HelloRequest, which DTLS ignores.
  const ignored = await countIgnored(300, Buffer.from("16fefd0000000000000005000c000000000000000000000000", "hex"));
  expect(ignored).toBeGreaterThan(150);
});

test("datagrams with more than 16 records are ignored", async () => {
  const record = Buffer.from("17fefd00000000000000000000", "hex");
  expect(await countIgnored(10, Buffer.concat(Array.from({ length: 16 }, () => record)))).toBe(0);
  expect(await countIgnored(10, Buffer.concat(Array.from({ length: 17 }, () => record)))).toBe(10);
});

test("datagrams larger than an Ethernet frame are ignored", async () => {
  const ignored = await countIgnored(10, Buffer.concat([Buffer.from("17fefd", "hex"), Buffer.alloc(2_048)]));
  expect(ignored).toBe(10);
});

test("a caller's checks from more than 64 addresses are ignored", async () => {
  const call = await openCall();
  await exchangeAudio(call);
  const { sdp = "" } = call.caller.connection.remoteDescription ?? {};
  const [, host = "", port] = sdp.match(/udp \d+ ([\d.]+) (\d+)/) ?? [];
  const read = (name: string): string => sdp.match(new RegExp(`a=${name}:(.*)\r\n`))?.[1] ?? "";
  const check = new Message(methods.BINDING, classes.REQUEST)
    .setAttribute("USERNAME", `${read("ice-ufrag")}:them`)
    .setAttribute("PRIORITY", 1)
    .setAttribute("ICE-CONTROLLING", 1n)
    .addMessageIntegrity(Buffer.from(read("ice-pwd")))
    .addFingerprint().bytes;
  for (let count = 0; count < 80; count++) {
    const socket = createSocket("udp4").bind(0, host);
    onTestFinished(() => void socket.close());
    await once(socket, "listening");
    socket.send(check, Number(port), host);
  }
  await vi.waitFor(() => expect(call.peer.counters.datagramsIgnored).toBeGreaterThanOrEqual(80 - 64));
  await exchangeAudio(call);
});

test("a caller that refuses every check is checked about as often as it may refuse", async () => {
  const { peer } = openPeer({ hostAddress: "127.0.0.1" });
  await peer.answer(chromium);
  const [, password = ""] = chromium.match(/a=ice-pwd:(.*)\r\n/) ?? [];
  const path = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => void path.close());
  await once(path, "listening");
  let checks = 0;
  path.on("message", (data, { port, address }) => {
    const check = parseMessage(data);
    if (check?.messageClass !== classes.REQUEST) return;
    checks += 1;
    const refusal = new Message(methods.BINDING, classes.ERROR, check.transactionId)
      .setAttribute("ERROR-CODE", [487, "Role Conflict"])
      .addMessageIntegrity(Buffer.from(password))
      .addFingerprint();
    path.send(refusal.bytes, port, address);
  });
  peer.addCandidate({ candidate: `candidate:1 1 udp 1 127.0.0.1 ${path.address().port} typ host` });
  await vi.waitFor(() => expect(peer.counters.datagramsIgnored).toBeGreaterThan(0), { timeout: 4_000 });
  expect(checks).toBeLessThan(100);
});

describe("before a call is connected", () => {
  /** A transport whose caller is at 192.0.2.1, port 9. */
  async function openTransport(): Promise<RTCDtlsTransport> {
    const connection = new RTCPeerConnection({ iceServers: [], iceUseIpv4: false, iceUseIpv6: false });
    onTestFinished(() => connection.close());
    const { dtlsTransport } = connection.addTransceiver("audio");
    await dtlsTransport.iceTransport.connection.addRemoteCandidate(
      new Candidate("1", 1, "udp", 1, "192.0.2.1", 9, "host"),
    );
    return dtlsTransport;
  }

  const filtered = (dtls: RTCDtlsTransport) => ({
    dtls,
    video: { sort: vi.fn<(packet: Buffer) => "take" | "skip" | undefined>(() => undefined) },
    previousAddresses: { includes: () => false },
    rates: createDatagramRates(),
    ignored: vi.fn<() => void>(),
  });

  /** The start of a DTLS handshake record. */
  const handshake = Buffer.from("16fefd", "hex");

  test("a handshake datagram waits until werift listens", async () => {
    const dtls = await openTransport();
    const socket = await openUdpTransport("127.0.0.1", undefined);
    onTestFinished(() => socket.close());
    const protocol = createStunProtocol(socket);
    filterSocket(protocol, socket, filtered(dtls));
    const received: Buffer[] = [];
    protocol.onDataReceived.subscribe((data) => received.push(data));
    socket.onData(handshake, ["192.0.2.1", 9]);
    expect(received).toEqual([]);
    Object.assign(dtls, { dtls: {} });
    dtls.onStateChange.execute("connecting");
    await vi.waitFor(() => expect(received).toEqual([handshake]));
  });

  test("datagrams of a caller are limited to 2,000 at once, on all sockets together", async () => {
    const transport = filtered(await openTransport());
    const media = packet("806f0001 00000000 00000001", 40);
    for (let opened = 0; opened < 4; opened++) {
      const socket = await openUdpTransport("127.0.0.1", undefined);
      onTestFinished(() => socket.close());
      filterSocket(createStunProtocol(socket), socket, transport);
      for (let count = 0; count < 2_500; count++) socket.onData(media, ["192.0.2.1", 9]);
    }
    expect(transport.ignored.mock.calls.length).toBeGreaterThan(7_000);
    expect(transport.ignored.mock.calls.length).toBeLessThanOrEqual(8_000);
  });

  test("refused checks of others take no share of the caller's rate", async () => {
    const socket = await openUdpTransport("127.0.0.1", undefined);
    onTestFinished(() => socket.close());
    const transport = filtered(await openTransport());
    filterSocket(createStunProtocol(socket), socket, transport);
    const refusal = new Message(methods.BINDING, classes.ERROR).setAttribute("ERROR-CODE", [
      487,
      "Role Conflict",
    ]).bytes;
    for (let count = 0; count < 200; count++) socket.onData(refusal, ["192.0.2.2", 9]);
    expect(transport.ignored).toHaveBeenCalledTimes(200);
    socket.onData(refusal, ["192.0.2.1", 9]);
    expect(transport.ignored).toHaveBeenCalledTimes(200);
  });

  test("video is sorted before it is decrypted, and takes no share of the rate of audio", async () => {
    const socket = await openUdpTransport("127.0.0.1", undefined);
    onTestFinished(() => socket.close());
    const transport = filtered(await openTransport());
    const protocol = createStunProtocol(socket);
    filterSocket(protocol, socket, transport);
    const [audio, video] = [packet("806f0001 00000000 00000001", 40), packet("80600001 00000000 00000001", 40)];
    transport.video.sort.mockImplementation((data) => (data.equals(video) ? "skip" : undefined));
    for (let count = 0; count < 10_000; count++) socket.onData(video, ["192.0.2.1", 9]);
    for (let count = 0; count < 1_900; count++) socket.onData(audio, ["192.0.2.1", 9]);
    expect(transport.ignored).not.toHaveBeenCalled();
    // Neither packets of others nor packets with a malformed header.
    socket.onData(video, ["192.0.2.2", 9]);
    socket.onData(packet("90600001 00000000 00000001 bedeffff", 40), ["192.0.2.1", 9]);
    expect(transport.video.sort).toHaveBeenCalledTimes(11_900);
    expect(transport.ignored).toHaveBeenCalledTimes(2);
  });

  test("a relayed datagram of another sender is ignored", async () => {
    const socket = await openUdpTransport("127.0.0.1", undefined);
    onTestFinished(() => socket.close());
    const turn = new TurnProtocol(["127.0.0.1", 9], "caller", "secret", 600, socket as unknown as Transport);
    const transport = filtered(await openTransport());
    filterRelay(new StunOverTurnProtocol(turn), transport);
    turn.onData.execute(handshake, ["192.0.2.1", 9]);
    expect(transport.ignored).not.toHaveBeenCalled();
    turn.onData.execute(handshake, ["192.0.2.2", 9]);
    expect(transport.ignored).toHaveBeenCalledOnce();
  });
});

import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setDefaultCACertificates } from "node:tls";
import { withTimeout } from "@pipecat-ts/runner-core";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { classes, Message, methods, TurnProtocol } from "werift";
import { startCoturn } from "../test/coturn.ts";
import { chromium } from "../test/offers.ts";
import { exchangeAudio, openCall, openPeer } from "../test/peer-fixture.ts";
import { allocate } from "./turn.ts";

/** A server that never responds. Returns its port. */
async function startSilent(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => void socket.close());
  await once(socket, "listening");
  return socket.address().port;
}

describe("TURN", () => {
  test.each(["udp", "tcp", "tls"] as const)(
    "over %s carries a call whose sides both use relayed candidates only",
    async (transport) => {
      const coturn = await startCoturn();
      const theirs = coturn(transport === "tcp" ? "tcp" : "udp");
      const call = await openCall(
        { iceServers: [coturn(transport)], relayOnly: true },
        { iceServers: [{ ...theirs, urls: [theirs.urls].flat() }], relayOnly: true },
      );
      const answer = call.caller.connection.remoteDescription?.sdp ?? "";
      expect(answer.match(/typ \w+/g)).toEqual(["typ relay"]);
      await exchangeAudio(call);
      // Datagrams from a relay are filtered like those from a socket.
      const header = Buffer.from("906f00010000000000000001bedeffff", "hex");
      await call.caller.sendDatagram(Buffer.concat([header, Buffer.alloc(20)]));
      await vi.waitFor(() => expect(call.peer.counters.datagramsIgnored).toBe(1));
      await vi.waitFor(() => expect(call.events.channel).toEqual(["open"]));
      call.caller.channel?.send("hello");
      call.peer.sendText("welcome");
      await vi.waitFor(() => expect([call.events.texts, call.caller.texts]).toEqual([["hello"], ["welcome"]]));
    },
  );

  test("over udp, datagrams that do not come from the server are dropped", async () => {
    const coturn = await startCoturn();
    const theirs = coturn("udp");
    const call = await openCall(
      { iceServers: [coturn("udp")], relayOnly: true },
      { iceServers: [{ ...theirs, urls: [theirs.urls].flat() }], relayOnly: true },
    );
    const candidate = (sdp = "") => sdp.match(/ ([\d.]+) (\d+) typ relay raddr ([\d.]+) rport (\d+)/) ?? [];
    const [, , , host = "", port] = candidate(call.caller.connection.remoteDescription?.sdp);
    const [, callerHost = "", callerPort] = candidate(call.caller.connection.localDescription?.sdp);
    // A DTLS alert, as if the relay had received it from the caller.
    const forged = new Message(methods.DATA, classes.INDICATION)
      .setAttribute("XOR-PEER-ADDRESS", [callerHost, Number(callerPort)])
      .setAttribute("DATA", Buffer.from("15fefd000000000000000000020100", "hex")).bytes;
    const stranger = createSocket("udp4").bind(0, host);
    onTestFinished(() => void stranger.close());
    await once(stranger, "listening");
    for (let count = 0; count < 5; count++) stranger.send(forged, Number(port), host);
    await exchangeAudio(call);
    await exchangeAudio(call);
    expect(call.peer.state).toBe("connected");
  });

  test("adds a relayed candidate to the host candidates", async () => {
    const { peer } = openPeer({ iceServers: [(await startCoturn())("udp")] });
    const types = (await peer.answer(chromium)).match(/(?<=typ )\w+/g);
    expect(types).toContain("host");
    expect(types).toContain("relay");
  });

  test.each(["udp", "tcp", "tls"] as const)(
    "over %s with wrong credentials fails at once, and releases everything",
    async (transport) => {
      const { peer } = openPeer({ iceServers: [(await startCoturn())(transport, "wrong")], relayOnly: true });
      await openPeer().peer.answer(chromium);
      const before = process.getActiveResourcesInfo();
      const start = performance.now();
      await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "TURN_UNREACHABLE", status: 503 });
      expect(performance.now() - start).toBeLessThan(600);
      await vi.waitFor(() => expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before.length));
    },
  );

  test("over TLS with an untrusted certificate fails", async () => {
    const untrusted = (await startCoturn())("tls");
    setDefaultCACertificates([]);
    const { peer } = openPeer({ iceServers: [untrusted], relayOnly: true });
    await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "TURN_UNREACHABLE" });
  });

  test.each(["tcp", "tls"] as const)(
    "over %s, a server that does not respond leaves nothing behind",
    async (transport) => {
      const server = createServer().listen(0, "127.0.0.1");
      onTestFinished(() => void server.close());
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      const urls = transport === "tls" ? `turns:127.0.0.1:${port}` : `turn:127.0.0.1:${port}?transport=tcp`;
      const connected = once(server, "connection");
      const { peer } = openPeer({ iceServers: [{ urls, username: "a", credential: "b" }], relayOnly: true });
      const answered = expect(peer.answer(chromium)).rejects.toThrow();
      const [socket] = (await connected) as [Socket];
      const closed = once(socket.resume(), "close");
      await peer.close();
      await answered;
      expect(await withTimeout(closed, 1_000)).toBe(true);
    },
  );

  test("an allocation that is aborted before the server's name is resolved sends no request afterwards", async () => {
    const requested = vi.spyOn(TurnProtocol.prototype, "sendStun");
    onTestFinished(() => requested.mockRestore());
    const server = {
      address: ["localhost", await startSilent()],
      transport: "udp",
      username: "a",
      credential: "b",
    } as const;
    await expect(allocate(server, AbortSignal.abort())).rejects.toThrow();
    await lookup("localhost");
    await new Promise((resolve) => setImmediate(resolve));
    expect(requested).not.toHaveBeenCalled();
  });

  test("uses the first of several servers that grants an address", async () => {
    const alive = (await startCoturn())("udp");
    const dead = { ...alive, urls: `turn:127.0.0.1:${await startSilent()}` };
    const { peer } = openPeer({ iceServers: [dead, alive], relayOnly: true });
    const start = performance.now();
    expect(await peer.answer(chromium)).toContain("typ relay");
    expect(performance.now() - start).toBeLessThan(1_000);
  });
});

describe("STUN", () => {
  test("delays the answer by 200 ms if the server does not respond", async () => {
    const { peer } = openPeer({ iceServers: [{ urls: `stun:127.0.0.1:${await startSilent()}` }] });
    await openPeer().peer.answer(chromium);
    const start = performance.now();
    expect(await peer.answer(chromium)).toContain("typ host");
    const took = performance.now() - start;
    expect(took).toBeGreaterThan(150);
    expect(took).toBeLessThan(600);
  });

  test("does not delay close()", async () => {
    const { peer } = openPeer({ iceServers: [{ urls: `stun:127.0.0.1:${await startSilent()}` }] });
    const answered = expect(peer.answer(chromium)).rejects.toThrow();
    const start = performance.now();
    await peer.close();
    await answered;
    expect(performance.now() - start).toBeLessThan(150);
  });
});

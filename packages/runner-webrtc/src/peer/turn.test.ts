import { createSocket } from "node:dgram";
import { once } from "node:events";
import { setDefaultCACertificates } from "node:tls";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { startCoturn } from "./test/coturn.ts";
import { chromium } from "./test/offers.ts";
import { hearEachOther, openCall, openPeer } from "./test/peer-stage.ts";

/** A server that takes what it is sent and never says a word. */
async function startSilent(): Promise<number> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => void socket.close());
  await once(socket, "listening");
  return socket.address().port;
}

describe("through a TURN server", () => {
  test.each(["udp", "tcp", "tls"] as const)("spoken to over %s, with both sides relayed only", async (transport) => {
    const coturn = await startCoturn();
    const theirs = coturn(transport === "tcp" ? "tcp" : "udp");
    const call = await openCall(
      { iceServers: [coturn(transport)], relayOnly: true },
      { iceServers: [{ ...theirs, urls: [theirs.urls].flat() }], relayOnly: true },
    );
    const answer = call.caller.connection.remoteDescription?.sdp ?? "";
    expect(answer.match(/typ \w+/g)).toEqual(["typ relay"]);
    await hearEachOther(call);
    // What cannot be the caller's is as little taken from a relay as from a socket.
    const header = Buffer.from("906f00010000000000000001bedeffff", "hex");
    await call.caller.connection.dtlsTransports[0]?.iceTransport.connection.send(
      Buffer.concat([header, Buffer.alloc(20)]),
    );
    await vi.waitFor(() => expect(call.peer.counters.datagramsIgnored).toBe(1));
    await vi.waitFor(() => expect(call.heard.channel).toEqual(["open"]));
    call.caller.channel?.send("hello");
    call.peer.sendText("welcome");
    await vi.waitFor(() => expect([call.heard.texts, call.caller.texts]).toEqual([["hello"], ["welcome"]]));
  });

  test("beside the host's own addresses", async () => {
    const { peer } = openPeer({ iceServers: [(await startCoturn())("udp")] });
    const types = (await peer.answer(chromium)).match(/(?<=typ )\w+/g);
    expect(types).toContain("host");
    expect(types).toContain("relay");
  });

  test.each(["udp", "tcp", "tls"] as const)(
    "over %s that refuses the credentials: an error says so at once, and nothing stays open",
    async (transport) => {
      const { peer } = openPeer({ iceServers: [(await startCoturn())(transport, "wrong")], relayOnly: true });
      await openPeer().peer.answer(chromium);
      const before = process.getActiveResourcesInfo();
      const began = performance.now();
      await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "TURN_UNREACHABLE", status: 503 });
      expect(performance.now() - began).toBeLessThan(600);
      await vi.waitFor(() => expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before.length));
    },
  );

  test("over TLS with a certificate that nobody vouches for: no login is sent", async () => {
    const [mistrusted] = [(await startCoturn())("tls")];
    setDefaultCACertificates([]);
    const { peer } = openPeer({ iceServers: [mistrusted], relayOnly: true });
    await expect(peer.answer(chromium)).rejects.toMatchObject({ code: "TURN_UNREACHABLE" });
  });

  test("the first of several that gives an address is taken", async () => {
    const alive = (await startCoturn())("udp");
    const dead = { ...alive, urls: `turn:127.0.0.1:${await startSilent()}` };
    const { peer } = openPeer({ iceServers: [dead, alive], relayOnly: true });
    const began = performance.now();
    expect(await peer.answer(chromium)).toContain("typ relay");
    expect(performance.now() - began).toBeLessThan(1_000);
  });
});

describe("STUN", () => {
  test("a server that does not answer costs 200 ms", async () => {
    const { peer } = openPeer({ iceServers: [{ urls: `stun:127.0.0.1:${await startSilent()}` }] });
    await openPeer().peer.answer(chromium);
    const began = performance.now();
    expect(await peer.answer(chromium)).toContain("typ host");
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(150);
    expect(took).toBeLessThan(600);
  });

  test("closing does not wait for it", async () => {
    const { peer } = openPeer({ iceServers: [{ urls: `stun:127.0.0.1:${await startSilent()}` }] });
    const answered = expect(peer.answer(chromium)).rejects.toThrow();
    const began = performance.now();
    await peer.close();
    await answered;
    expect(performance.now() - began).toBeLessThan(150);
  });
});

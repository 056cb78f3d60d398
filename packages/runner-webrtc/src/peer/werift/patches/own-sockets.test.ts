import { expect, onTestFinished, test, vi } from "vitest";
import { Candidate, RTCPeerConnection } from "werift";
import { exchangeAudio, openCall } from "../../test/peer-fixture.ts";
import { openUdpTransport } from "../../udp-transport.ts";
import { addLocalCandidate, createStunProtocol } from "./own-sockets.ts";

test("a socket that is not werift's carries the connectivity checks of its candidate", async () => {
  const connection = new RTCPeerConnection({ iceServers: [], iceUseIpv4: false, iceUseIpv6: false });
  onTestFinished(() => connection.close());
  const { iceTransport } = connection.addTransceiver("audio").dtlsTransport;
  const [own, remote] = await Promise.all([1, 2].map(() => openUdpTransport("127.0.0.1", undefined)));
  if (own === undefined || remote === undefined) throw new Error("Two sockets are required.");
  onTestFinished(() => remote.close());
  const candidateOf = (port: number): Candidate => new Candidate("1", 1, "udp", 1, "127.0.0.1", port, "host");
  const checks: (readonly [type: number, port: number])[] = [];
  remote.onData = (data, from) => checks.push([data.readUInt16BE(0), from[1]]);
  addLocalCandidate(iceTransport, createStunProtocol(own), candidateOf(own.address.port));
  await iceTransport.gather();
  iceTransport.setRemoteParams({ iceLite: false, usernameFragment: "caller", password: "0aXcVbNmAsDfGhJkL1234567" });
  await iceTransport.connection.addRemoteCandidate(candidateOf(remote.address.port));
  iceTransport.start().catch(() => undefined);
  // STUN type 1 is a binding request.
  await vi.waitFor(() => expect(checks).toContainEqual([1, own.address.port]));
  expect(iceTransport.connection.localCandidates.map(({ port }) => port)).toEqual([own.address.port]);
});

test("a socket that is not werift's responds to the caller's connectivity checks", async () => {
  const call = await openCall({ hostAddress: "127.0.0.1" });
  await call.caller.connected(4_000);
  await exchangeAudio(call);
});

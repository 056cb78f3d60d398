import { expect, onTestFinished, test } from "vitest";
import { Candidate, RTCPeerConnection } from "werift";
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
  const received = new Promise<number>((resolve) => {
    remote.onData = (data, from) => resolve(data.readUInt16BE(0) === 1 ? from[1] : 0);
  });
  addLocalCandidate(iceTransport, createStunProtocol(own), candidateOf(own.address.port));
  await iceTransport.gather();
  iceTransport.setRemoteParams({ iceLite: false, usernameFragment: "caller", password: "0aXcVbNmAsDfGhJkL1234567" });
  await iceTransport.connection.addRemoteCandidate(candidateOf(remote.address.port));
  iceTransport.start().catch(() => undefined);
  expect(await received).toBe(own.address.port);
  expect(iceTransport.connection.localCandidates.map(({ port }) => port)).toEqual([own.address.port]);
});

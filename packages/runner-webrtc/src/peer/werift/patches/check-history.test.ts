import { expect, onTestFinished, test } from "vitest";
import { Candidate, type Connection, classes, Message, methods, type Protocol, RTCPeerConnection } from "werift";
import { forgetChecks } from "./check-history.ts";

test("the ids of a caller's checks do not fill the memory", () => {
  const connection = new RTCPeerConnection({ iceServers: [] });
  onTestFinished(() => connection.close());
  const { iceTransport } = connection.addTransceiver("audio").dtlsTransport;
  forgetChecks(iceTransport);
  const ice = iceTransport.connection as Connection;
  const localCandidate = new Candidate("1", 1, "udp", 1, "127.0.0.1", 9, "host");
  const protocol = { type: "stun", localCandidate, request: () => new Promise(() => undefined) } as unknown as Protocol;
  for (let count = 0; count < 1_000; count++) {
    const check = new Message(methods.BINDING, classes.REQUEST)
      .setAttribute("USERNAME", `${ice.localUsername}:them`)
      .setAttribute("PRIORITY", 1);
    ice.checkIncoming(check, ["192.0.2.1", 9], protocol);
  }
  const [pair] = ice.checkList;
  expect(pair).toMatchObject({ requestsReceived: 1_000, requestTransactionIds: new Set() });
});

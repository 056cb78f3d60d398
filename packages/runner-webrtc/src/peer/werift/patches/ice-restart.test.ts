import { expect, onTestFinished, test, vi } from "vitest";
import { type Connection, classes, Message, methods, parseMessage, RTCPeerConnection } from "werift";
import { type Call, exchangeAudio, openCall } from "../../test/peer-fixture.ts";
import { silence } from "../peer-caller.ts";
import { randomizeCredentials } from "./ice-credentials.ts";
import { keepPairDuringRestart } from "./ice-restart.ts";

/** The first value of an attribute in an SDP. */
function read(sdp: string, name: string): string {
  return sdp.match(new RegExp(`a=${name}:(.*)\r\n`))?.[1] ?? expect.fail(`The SDP has no a=${name}.`);
}

/**
 * A call whose caller has offered an ICE restart, without candidates, and not yet read the answer. `send` uses the pair of the
 * call. `checks` collects the names in our checks.
 */
async function openRestart() {
  const call = await openCall();
  await exchangeAudio(call);
  const ice = call.caller.connection.dtlsTransports[0]?.iceTransport.connection;
  const { protocol, remoteAddr } = ice?.nominated ?? expect.fail("The call has no pair.");
  const before = call.caller.connection.remoteDescription?.sdp ?? "";
  const offer = await call.caller.offer({ iceRestart: true });
  const responses: Message[] = [];
  const checks: unknown[] = [];
  call.caller.onDatagram((data) => {
    const message = parseMessage(data);
    if (message?.messageClass === classes.RESPONSE) responses.push(message);
    if (message?.messageClass === classes.REQUEST) checks.push(message.getAttributeValue("USERNAME"));
  });
  const answer = await call.peer.answer(offer.replaceAll(/a=candidate:.*\r\n/g, ""));
  const send = (data: Buffer) => protocol.sendData(data, remoteAddr);
  return { call, before, offer, answer, send, responses, checks };
}

async function finish({ caller, peer, events }: Call, answer: string): Promise<void> {
  await caller.accept(answer);
  await exchangeAudio({ caller, peer, events });
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
}

/** A binding request that nominates its pair, with the names of both sides. */
function check(ours: string, theirs: string, password: string): Buffer {
  const request = new Message(methods.BINDING, classes.REQUEST)
    .setAttribute("USERNAME", `${ours}:${theirs}`)
    .setAttribute("PRIORITY", 1)
    .setAttribute("ICE-CONTROLLING", 1n)
    .setAttribute("USE-CANDIDATE", null);
  return request.addMessageIntegrity(Buffer.from(password)).addFingerprint().bytes;
}

test("the previous pair carries audio until the caller has read the answer", async () => {
  const { call, answer, send } = await openRestart();
  const received = call.caller.packets.length;
  // One packet may still have been on its way.
  for (let count = 1; count <= 10; count++) call.peer.sendAudio(silence, 960 * count);
  await vi.waitFor(() => expect(call.caller.packets.length).toBeGreaterThanOrEqual(received + 10));
  const { datagramsIgnored } = call.peer.counters;
  // Data that cannot be decrypted: it reaches SRTP.
  await send(Buffer.concat([Buffer.from("806f00010000000000000001", "hex"), Buffer.alloc(40)]));
  await finish(call, answer);
  expect(call.peer.counters.datagramsIgnored).toBe(datagramsIgnored);
});

test("a check of the previous generation is answered and has no other effect", async () => {
  const { call, before, answer, send, responses, checks } = await openRestart();
  const ours = read(before, "ice-ufrag");
  await send(check(ours, "gone", read(before, "ice-pwd")));
  await vi.waitFor(() => expect(responses).toHaveLength(1));
  await finish(call, answer);
  expect(checks.length).toBeGreaterThan(0);
  expect(checks.filter((name) => String(name).endsWith(`:${ours}`))).toEqual([]);
});

test("a pair is checked with the name that the caller uses on it", async () => {
  const { before, offer, send, checks } = await openRestart();
  const [ours, theirs] = [read(before, "ice-ufrag"), read(offer, "ice-ufrag")];
  await send(check(ours, theirs, read(before, "ice-pwd")));
  await vi.waitFor(() => expect(checks).toContain(`${theirs}:${ours}`));
});

test("after 20 restarts that the caller does not complete, one restart connects", async () => {
  const call = await openCall();
  await exchangeAudio(call);
  const timers = countTimers();
  for (let count = 0; count < 20; count++) await call.peer.answer(await call.caller.offer({ iceRestart: true }));
  expect(countTimers() - timers).toBeLessThan(10);
  await finish(call, await call.peer.answer(await call.caller.offer({ iceRestart: true })));
  expect(call.events.states).toEqual(["connecting", "connected"]);
});

test("the passwords of 8 generations are kept", async () => {
  const connection = new RTCPeerConnection({ iceServers: [] });
  onTestFinished(() => connection.close());
  const { iceTransport } = connection.addTransceiver("audio").dtlsTransport;
  randomizeCredentials(iceTransport);
  keepPairDuringRestart(iceTransport);
  for (let count = 0; count < 100; count++) iceTransport.restart();
  const { userHistory, localUsername } = iceTransport.connection as Connection;
  expect(Object.keys(userHistory)).toHaveLength(8);
  expect(userHistory).toHaveProperty([localUsername]);
});

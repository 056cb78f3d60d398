import { expect, onTestFinished, test, vi } from "vitest";
import { type Call, openCall, openPeer } from "../../test/peer-fixture.ts";
import { createPeerCaller } from "../peer-caller.ts";

/** Sends a message each way. */
async function exchangeTexts({ peer, caller, events }: Call): Promise<void> {
  const before = [events.texts.length, caller.texts.length];
  caller.channel?.send("hello");
  peer.sendText("welcome");
  await vi.waitFor(() => expect([events.texts.length, caller.texts.length]).toEqual(before.map((count) => count + 1)));
}

/** A connected call with a data channel. */
async function openTextCall(): Promise<Call> {
  const call = await openCall();
  await vi.waitFor(() => expect(call.events.channel).toEqual(["open"]));
  return call;
}

test("a ClientHello that arrives late does not affect the data channel", async () => {
  const { peer, events } = openPeer();
  const caller = createPeerCaller();
  onTestFinished(() => caller.close());
  const offer = await caller.offer();
  const [dtls] = caller.connection.dtlsTransports;
  const send = vi.spyOn(dtls?.iceTransport.connection ?? expect.fail("The caller has no transport."), "send");
  await caller.accept(await peer.answer(offer));
  await vi.waitFor(() => expect(events.channel).toEqual(["open"]), { timeout: 4_000 });
  const hellos = send.mock.calls.map(([data]) => data).filter((data) => data[0] === 22 && data[13] === 1);
  expect(hellos.length).toBeGreaterThanOrEqual(2);
  for (const hello of hellos) await caller.sendDatagram(hello);
  await exchangeTexts({ peer, caller, events });
});

/** A DTLS record. */
function record(type: number, epoch: number, fragment: Buffer): Buffer {
  const header = Buffer.from("00fefd0000000000001388", "hex");
  header.writeUInt8(type, 0);
  header.writeUInt16BE(epoch, 3);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(fragment.length);
  return Buffer.concat([header, length, fragment]);
}

/** `close_notify` (RFC 5246, section 7.2.1). */
const closeNotify = Buffer.of(1, 0);

test.each([
  ["an alert", record(21, 0, closeNotify)],
  ["an alert that claims to be encrypted", record(21, 1, Buffer.concat([closeNotify, Buffer.alloc(24)]))],
  ["a record of unknown type", record(30, 1, Buffer.alloc(24))],
])("%s that is not from the caller does not end the call", async (_, forged) => {
  const call = await openTextCall();
  await call.caller.sendDatagram(forged);
  await exchangeTexts(call);
  expect(call.peer.state).toBe("connected");
});

test("an alert of the caller ends the call", async () => {
  const { peer, caller } = await openTextCall();
  const { cipher } = caller.connection.dtlsTransports[0]?.dtls ?? expect.fail("The caller has no DTLS.");
  const version = 0xfefd;
  const { cipher: suite, sessionType } = cipher as unknown as CipherInternals;
  const encrypted = suite.encrypt(sessionType, closeNotify, { type: 21, version, epoch: 1, sequenceNumber: 5_000 });
  await caller.sendDatagram(record(21, 1, encrypted));
  await vi.waitFor(() => expect(peer.state).toBe("closed"));
});

/** Private members of werift 0.25.2. */
interface CipherInternals {
  readonly sessionType: unknown;
  readonly cipher: { encrypt(sessionType: unknown, data: Buffer, header: object): Buffer };
}

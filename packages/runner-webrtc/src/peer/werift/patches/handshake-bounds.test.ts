import { expect, onTestFinished, test, vi } from "vitest";
import { DtlsServer, Event, type RTCDtlsTransport, type Transport } from "werift";
import { exchangeAudio, openCall } from "../../test/peer-fixture.ts";
import { openUdpTransport } from "../../udp-transport.ts";
import { boundHandshakes, type DtlsSocketInternals } from "./handshake-bounds.ts";

test("oversized handshake messages allocate no memory, and the call continues", async () => {
  const call = await openCall();
  const allocate = vi.spyOn(Buffer, "alloc");
  onTestFinished(() => allocate.mockRestore());
  // A certificate of 16 MiB: once as a complete message, once in two fragments (RFC 6347, section 4.2.2).
  for (const fragment of ["ffffff0009000000ffffff", "ffffff0009000000000001", "ffffff0009fffffe000001"])
    await call.caller.sendDatagram(
      Buffer.concat([Buffer.from(`16fefd0000000000000001000d0b${fragment}`, "hex"), Buffer.alloc(1)]),
    );
  await exchangeAudio(call);
  expect(Math.max(...allocate.mock.calls.map(([size]) => size))).toBeLessThan(65_536);
});

test("fragments of messages that never complete are discarded", async () => {
  const network = await openUdpTransport("127.0.0.1", undefined);
  onTestFinished(() => network.close());
  const socket = new DtlsServer({ transport: network as unknown as Transport });
  const transport = { onStateChange: new Event<[state: string]>(), dtls: socket };
  boundHandshakes(transport as unknown as RTCDtlsTransport);
  transport.onStateChange.execute("connecting");
  await new Promise((resolve) => setImmediate(resolve));
  const internals = socket as unknown as DtlsSocketInternals;
  // The first byte of a certificate message of 256 bytes.
  const fragment = { msg_type: 11, length: 256, message_seq: 0, fragment_offset: 0, fragment_length: 1 };
  for (let count = 0; count < 1_000; count++) internals.handleFragmentHandshake([fragment]);
  expect(internals.bufferFragmentedHandshakes.length).toBeLessThanOrEqual(64);
});

import { expect, test } from "vitest";
import { RtpHeader, SrtpSession } from "werift";
import { limitSources, sourceLimit } from "./srtp-sources.ts";

const [one, two] = [1, 3].map((byte) => [Buffer.alloc(16, byte), Buffer.alloc(12, byte + 1)] as const);

function session(local = one, remote = two): SrtpSession {
  const [localMasterKey = Buffer.of(), localMasterSalt = Buffer.of()] = local ?? [];
  const [remoteMasterKey = Buffer.of(), remoteMasterSalt = Buffer.of()] = remote ?? [];
  return new SrtpSession({ keys: { localMasterKey, localMasterSalt, remoteMasterKey, remoteMasterSalt }, profile: 7 });
}

test("the states of sources do not fill the memory", () => {
  const caller = session();
  const server = { srtp: session(two, one) };
  limitSources(server);
  const send = (ssrc: number) =>
    server.srtp.decrypt(
      caller.encrypt(Buffer.from("video"), new RtpHeader({ sequenceNumber: 1, timestamp: 0, ssrc, payloadType: 96 })),
    );
  for (let ssrc = 1; ssrc <= 1_000; ssrc++) expect(send(ssrc).subarray(12).toString()).toBe("video");
  const states = server.srtp.remoteContext.srtpSSRCStates;
  expect(Object.keys(states)).toHaveLength(sourceLimit);
  expect(Object.keys(states).at(-1)).toBe("1000");
  expect(() => server.srtp.decrypt(Buffer.alloc(40, 0x80))).toThrow();
  expect(Object.keys(states)).toHaveLength(sourceLimit);
});

test("a source in use is kept, however old it is", () => {
  const caller = session();
  const server = { srtp: session(two, one) };
  limitSources(server);
  const send = (ssrc: number, sequenceNumber: number) =>
    server.srtp.decrypt(
      caller.encrypt(Buffer.from("audio"), new RtpHeader({ sequenceNumber, timestamp: 0, ssrc, payloadType: 111 })),
    );
  // Its sequence numbers begin again at 0, which only the state of the source tells.
  for (const sequenceNumber of [65_535, 0]) send(1, sequenceNumber);
  for (let other = 1; other <= 100; other++) {
    send(1_000 + other, 1);
    expect(send(1, other).subarray(12).toString()).toBe("audio");
  }
});

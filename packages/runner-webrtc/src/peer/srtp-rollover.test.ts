import { expect, test } from "vitest";
import { RtpHeader, SrtpSession } from "werift";
import { countRollovers } from "./srtp-rollover.ts";

const local = { localMasterKey: Buffer.alloc(16, 1), localMasterSalt: Buffer.alloc(12, 2) };
const remote = { remoteMasterKey: Buffer.alloc(16, 3), remoteMasterSalt: Buffer.alloc(12, 4) };

/** A caller's packets of these numbers, in the order they were sent, as they come out at the other side: `x` for one refused. */
function carry(sent: readonly number[], received: readonly number[]): string {
  const caller = new SrtpSession({ keys: { ...local, ...remote }, profile: 7 });
  const keys = {
    localMasterKey: remote.remoteMasterKey,
    localMasterSalt: remote.remoteMasterSalt,
    remoteMasterKey: local.localMasterKey,
    remoteMasterSalt: local.localMasterSalt,
  };
  const server = { srtp: new SrtpSession({ keys, profile: 7 }) };
  countRollovers(server);
  const packets = sent.map((number) => {
    const header = new RtpHeader({ sequenceNumber: number & 0xffff, timestamp: 0, ssrc: 5, payloadType: 111 });
    return caller.encrypt(Buffer.from("voice"), header);
  });
  return received
    .map((number) => {
      try {
        return server.srtp
          .decrypt(packets[sent.indexOf(number)] ?? Buffer.alloc(0))
          .subarray(12)
          .toString();
      } catch {
        return "x";
      }
    })
    .join(" ");
}

/** Numbers that do not come round, both ends included. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

test("a caller is heard after a loss in which its numbers came round", () => {
  const sent = range(65_300, 65_536 + 1_000);
  const received = [...range(65_300, 65_390), ...range(65_536 + 20, 65_536 + 300), 65_536 + 1_000];
  expect(carry(sent, received)).toBe(received.map(() => "voice").join(" "));
});

test("packets that overtook others while the numbers came round are read, before and after", () => {
  const sent = range(65_500, 65_536 + 20);
  const received = [65_500, 65_536, 65_535, 65_537, 65_530, 65_501, 65_536 + 20];
  expect(carry(sent, received)).toBe(received.map(() => "voice").join(" "));
});

test("a packet that came before the first one known is not taken for one of a turn before", () => {
  expect(carry([3, 65_530], [3, 65_530])).toBe("voice voice");
});

import { expect, test } from "vitest";
import { RtpHeader, SrtpSession } from "werift";
import { countRollovers } from "./srtp-rollover.ts";

const local = { localMasterKey: Buffer.alloc(16, 1), localMasterSalt: Buffer.alloc(12, 2) };
const remote = { remoteMasterKey: Buffer.alloc(16, 3), remoteMasterSalt: Buffer.alloc(12, 4) };

/** Sends packets with the numbers `sent`, receives them in the order `received`, and returns their payloads, `x` if rejected. */
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

/** Consecutive numbers, both ends included. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

test("packets are readable after a loss during which their numbers wrapped", () => {
  const sent = range(65_300, 65_536 + 1_000);
  const received = [...range(65_300, 65_390), ...range(65_536 + 20, 65_536 + 300), 65_536 + 1_000];
  expect(carry(sent, received)).toBe(received.map(() => "voice").join(" "));
});

test("packets that arrive out of order around the wrap are readable", () => {
  const sent = range(65_500, 65_536 + 20);
  const received = [65_500, 65_536, 65_535, 65_537, 65_530, 65_501, 65_536 + 20];
  expect(carry(sent, received)).toBe(received.map(() => "voice").join(" "));
});

test("a packet from before the first one does not count as a wrap", () => {
  expect(carry([3, 65_530], [3, 65_530])).toBe("voice voice");
});

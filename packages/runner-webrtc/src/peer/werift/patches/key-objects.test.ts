import { KeyObject } from "node:crypto";
import { describe, expect, test, vi } from "vitest";
import { RtpHeader, SrtcpSession, SrtpSession } from "werift";
import { openCall } from "../../test/peer-fixture.ts";
import { holdKeyObjects } from "./key-objects.ts";

const local = { localMasterKey: Buffer.alloc(16, 1), localMasterSalt: Buffer.alloc(14, 2) };
const remote = { remoteMasterKey: Buffer.alloc(16, 3), remoteMasterSalt: Buffer.alloc(14, 4) };
const near = { ...local, ...remote };
const far = {
  localMasterKey: remote.remoteMasterKey,
  localMasterSalt: remote.remoteMasterSalt,
  remoteMasterKey: local.localMasterKey,
  remoteMasterSalt: local.localMasterSalt,
};

describe.each([
  ["AES-CM with HMAC-SHA1", 1],
  ["AES-GCM", 7],
] as const)("with %s", (_, profile) => {
  const open = (keys: typeof near) => ({
    srtp: new SrtpSession({ keys, profile }),
    srtcp: new SrtcpSession({ keys, profile }),
  });

  test("packets are readable between plain keys and key objects", () => {
    const plain = open(near);
    const prepared = open(far);
    holdKeyObjects(prepared);
    const header = new RtpHeader({ sequenceNumber: 7, timestamp: 960, ssrc: 5, payloadType: 111 });
    const report = Buffer.from("80c9000100000005", "hex");
    for (const [from, to] of [
      [plain, prepared],
      [prepared, plain],
    ] as const) {
      const opened = to.srtp.decrypt(from.srtp.encrypt(Buffer.from("voice"), header));
      expect(opened.subarray(12).toString()).toBe("voice");
      expect(to.srtcp.decrypt(from.srtcp.encrypt(report))).toEqual(report);
    }
  });

  test("every key is a key object", () => {
    const prepared = open(near);
    holdKeyObjects(prepared);
    const { cipher } = prepared.srtp.localContext as unknown as { cipher: Record<string, unknown> };
    const keys = Object.entries(cipher).filter(([name]) => /Key$|AuthTag$/.test(name));
    expect(keys.length).toBe(profile === 7 ? 2 : 4);
    for (const [, key] of keys) expect(key).toBeInstanceOf(KeyObject);
  });
});

test("the keys of the data channel are key objects, and messages arrive in both directions", async () => {
  const { peer, caller, events } = await openCall();
  await vi.waitFor(() => expect(events.channel).toEqual(["open"]));
  const cipher: unknown = caller.connection.dtlsTransports[0]?.dtls?.cipher.cipher;
  expect(cipher).toMatchObject({ clientWriteKey: expect.any(KeyObject), serverWriteKey: expect.any(KeyObject) });
  caller.channel?.send("hello");
  peer.sendText("welcome");
  await vi.waitFor(() => expect([events.texts, caller.texts]).toEqual([["hello"], ["welcome"]]));
});

import { createSecretKey } from "node:crypto";
import type { RTCDtlsTransport } from "werift";

/** The keys of werift's SRTP ciphers. The last two exist with HMAC only. werift passes all of them to `node:crypto` unchanged. */
const keyNames = ["srtpSessionKey", "srtcpSessionKey", "srtpSessionAuthTag", "srtcpSessionAuthTag"] as const;

/**
 * Private members: the session keys of `CipherAesCtr` and `CipherAesGcm`.
 *
 * werift creates a cipher for each packet from a key of plain bytes. Importing that key takes 13 of the 16 µs; without this
 * patch, each packet costs 16 µs instead of 4 (Node 24.21). Call it once DTLS is connected.
 *
 * Upstream issue: "SRTP: hold session keys as KeyObject, four times faster per packet".
 */
export function holdKeyObjects({ srtp, srtcp }: Pick<RTCDtlsTransport, "srtp" | "srtcp">): void {
  for (const { cipher } of [srtp.localContext, srtp.remoteContext, srtcp.localContext, srtcp.remoteContext]) {
    const keys = cipher as unknown as Partial<Record<(typeof keyNames)[number], unknown>>;
    for (const name of keyNames) {
      const key = keys[name];
      if (Buffer.isBuffer(key)) keys[name] = createSecretKey(key);
    }
  }
}

import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";

/** What SRTP adds to a packet, by RFC 7714: 12 bytes of header before it, which are authenticated, and 16 of tag behind it. */
const headerBytes = 12;
const tagBytes = 16;
const key = createSecretKey(Buffer.alloc(16, 7));

export function seal(sequenceNumber: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32BE(sequenceNumber, 8);
  const cipher = createCipheriv("aes-128-gcm", key, header);
  cipher.setAAD(header);
  const sealed = cipher.update(payload);
  cipher.final();
  return Buffer.concat([header, sealed, cipher.getAuthTag()]);
}

export function open(packet: Buffer): Buffer {
  const header = packet.subarray(0, headerBytes);
  const decipher = createDecipheriv("aes-128-gcm", key, header);
  decipher.setAAD(header);
  decipher.setAuthTag(packet.subarray(-tagBytes));
  const payload = decipher.update(packet.subarray(headerBytes, -tagBytes));
  decipher.final();
  return payload;
}

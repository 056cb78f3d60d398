import { createHmac } from "node:crypto";
import { createSocket } from "node:dgram";
import { crc32 } from "node:zlib";
import fc, { type Arbitrary } from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { createMdnsResolver } from "../../packages/runner-webrtc/src/peer/mdns.ts";
import { loopback, startMdnsResponder } from "../../packages/runner-webrtc/src/peer/test/mdns-responder.ts";
import {
  openDtlsReceiver,
  openSctpReceiver,
  receiveRtcp,
  receiveRtp,
  receiveStun,
} from "../../packages/runner-webrtc/src/peer/werift/test/parsers.ts";
import { chunk, dataChunk, sackChunk } from "../../packages/runner-webrtc/src/peer/werift/test/sctp-writer.ts";
import { fuzz } from "./fuzz.ts";

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each));
const uint16 = (value: number): Buffer => Buffer.of((value >> 8) & 255, value & 255);
/** Some bytes changed, and the end removed. */
function changed(packet: Arbitrary<Buffer>): Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
  return fc.tuple(packet, changes, fc.option(fc.nat({ max: 40 }), { freq: 3 })).map(([original, list, cut]) => {
    const copy = Buffer.from(original);
    for (const [index, byte] of list) if (copy.length > 0) copy[index % copy.length] = byte;
    return copy.subarray(0, copy.length - Math.min(copy.length, cut ?? 0));
  });
}
const maybeChanged = (packet: Arbitrary<Buffer>): Arbitrary<Buffer> => fc.oneof(packet, changed(packet), bytes(300));

/** Counts the packets that were read and those that were not. Both must be common. */
function createCounter() {
  let read = 0;
  let dropped = 0;
  return {
    count(wasRead: boolean): void {
      if (wasRead) read += 1;
      else dropped += 1;
    },
    expectBoth: () => expect(Math.min(read, dropped)).toBeGreaterThan(100),
  };
}

const password = Buffer.from("password");
/** All attributes that werift knows, except the two checksums, and one that it does not know. */
const attributeType = fc.constantFrom(1, 6, 9, 12, 0x13, 0x20, 0x24, 0x25, 0x8029, 0x802a, 0x7777);
const attribute = fc.tuple(attributeType, bytes(40)).map(([type, value]) => writeAttribute(type, value));

function writeAttribute(type: number, value: Buffer): Buffer {
  const padding = Buffer.alloc((4 - (value.length % 4)) % 4);
  return Buffer.concat([uint16(type), uint16(value.length), value, padding]);
}

/** A STUN message. `length` is the one in its header. */
function writeStun(type: number, body: Buffer, length = body.length): Buffer {
  return Buffer.concat([uint16(type), uint16(length), Buffer.from("2112a442", "hex"), Buffer.alloc(12), body]);
}

/** MESSAGE-INTEGRITY, and FINGERPRINT (RFC 8489, sections 14.5 and 14.7). */
function sign(type: number, body: Buffer): Buffer {
  const hmac = createHmac("sha1", password)
    .update(writeStun(type, body, body.length + 24))
    .digest();
  const signed = Buffer.concat([body, writeAttribute(8, hmac)]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE((crc32(writeStun(type, signed, signed.length + 8)) ^ 0x5354554e) >>> 0);
  return Buffer.concat([signed, writeAttribute(0x8028, sum)]);
}

const stun = fc
  .tuple(fc.constantFrom(0x0001, 0x0101, 0x0111, 0x0011, 0x0003), fc.array(attribute, { maxLength: 12 }), fc.boolean())
  .map(([type, attributes, isSigned]) => {
    const body = Buffer.concat(attributes);
    return writeStun(type, isSigned ? sign(type, body) : body);
  });

test("STUN messages of any content are read or dropped", async () => {
  const { count, expectBoth } = createCounter();
  await fuzz(fc.tuple(maybeChanged(stun), fc.boolean()), ([data, isSigned]) => {
    count(receiveStun(data, isSigned ? password : undefined));
  });
  expectBoth();
});

const rtp = fc
  .record({
    sources: fc.nat({ max: 15 }),
    extension: fc.option(fc.tuple(fc.constantFrom(0xbede, 0x1000, 7), bytes(60))),
    padding: fc.boolean(),
    payload: bytes(100),
  })
  .map(({ sources, extension, padding, payload }) => {
    const first = 0x80 | (padding ? 0x20 : 0) | (extension ? 0x10 : 0) | sources;
    const head = Buffer.concat([Buffer.of(first, 111), Buffer.alloc(10 + 4 * sources)]);
    const [profile = 0, values = Buffer.alloc(0)] = extension ?? [];
    const words = values.subarray(0, values.length - (values.length % 4));
    const extensionBytes = extension
      ? Buffer.concat([uint16(profile), uint16(words.length / 4), words])
      : Buffer.alloc(0);
    return Buffer.concat([head, extensionBytes, payload]);
  });

test("RTP packets of any content are read or dropped", async () => {
  const { count, expectBoth } = createCounter();
  await fuzz(maybeChanged(rtp), (data) => {
    try {
      count(receiveRtp(data));
    } catch (error) {
      // werift drops such packets.
      expect(error).toBeInstanceOf(Error);
      count(false);
    }
  });
  expectBoth();
});

const rtcp = fc
  .array(fc.tuple(fc.constantFrom(200, 201, 202, 205, 206, 192), fc.nat({ max: 3 }), bytes(120), fc.boolean()), {
    maxLength: 6,
  })
  .map((packets) =>
    Buffer.concat(
      packets.map(([type, items, body, padding]) => {
        const words = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
        return Buffer.concat([Buffer.of(0x80 | (padding ? 0x20 : 0) | items, type), uint16(words.length / 4), words]);
      }),
    ),
  );

test("RTCP packets of any content are read or dropped", async () => {
  const { count, expectBoth } = createCounter();
  await fuzz(maybeChanged(rtcp), (data) => count(receiveRtcp(data)));
  expectBoth();
});

test("SCTP packets of any content are read or dropped, and the association continues", {
  timeout: 600_000,
}, async () => {
  let receiver = await openSctpReceiver();
  const flags = fc.nat({ max: 7 });
  const data = fc
    .record({
      ahead: fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 40 })),
      stream: fc.nat({ max: 20 }),
      sequence: fc.nat({ max: 3 }),
      flags,
      protocol: fc.constantFrom(50, 51, 53, 56, 57, 0),
      content: bytes(60),
    })
    .map(
      ({ ahead, ...each }) =>
        () =>
          dataChunk({ tsn: (receiver.nextTsn + ahead) >>> 0, ...each }),
    );
  const sack = fc
    .tuple(fc.nat(), fc.array(fc.tuple(fc.nat({ max: 65_535 }), fc.nat({ max: 65_535 })), { maxLength: 6 }))
    .map(
      ([tsn, blocks]) =>
        () =>
          sackChunk(tsn, blocks),
    );
  // ABORT (6) and those of the shutdown (7, 8, 14) end the association, as they should.
  const other = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 9, 10, 11, 12, 130, 192, 99), flags, bytes(80)).map(
    ([type, flag, body]) =>
      () =>
        chunk(type, flag, body),
  );
  const input = fc.array(fc.oneof(data, sack, other), { maxLength: 6 });
  const { count, expectBoth } = createCounter();
  await fuzz(input, async (chunks) => {
    if (!receiver.isOpen) receiver = await openSctpReceiver();
    count(await receiver.receive(Buffer.concat(chunks.map((write) => write()))));
  });
  expectBoth();
});

const handshakeMessage = fc
  .tuple(
    fc.constantFrom(1, 2, 3, 11, 12, 13, 14, 15, 16, 20, 77),
    fc.nat({ max: 5 }),
    bytes(200),
    fc.option(fc.nat({ max: 70_000 }), { freq: 3 }),
  )
  .map(([type, sequence, body, announced]) => {
    const head = Buffer.alloc(12);
    head.writeUInt8(type, 0);
    head.writeUIntBE(announced ?? body.length, 1, 3);
    head.writeUInt16BE(sequence, 4);
    head.writeUIntBE(body.length, 9, 3);
    return Buffer.concat([head, body]);
  });
const dtlsRecord = fc
  .tuple(fc.constantFrom(20, 22, 22, 22, 23, 63), fc.nat({ max: 2 }), fc.array(handshakeMessage, { maxLength: 3 }))
  .map(([type, epoch, messages]) => {
    const body = Buffer.concat(messages);
    const head = Buffer.alloc(13);
    head.writeUInt8(type, 0);
    head.writeUInt16BE(0xfefd, 1);
    head.writeUInt16BE(epoch, 3);
    head.writeUInt16BE(body.length, 11);
    return Buffer.concat([head, body]);
  });

test("DTLS records of any content are read or dropped", { timeout: 600_000 }, async () => {
  const records = fc.array(dtlsRecord, { maxLength: 4 }).map((each) => Buffer.concat(each));
  const { count, expectBoth } = createCounter();
  let receive = await openDtlsReceiver();
  let received = 0;
  await fuzz(maybeChanged(records), async (data) => {
    // A handshake keeps what it has received.
    if (received % 100 === 0) receive = await openDtlsReceiver();
    received += 1;
    count(receive(data));
  });
  expectBoth();
});

const name = fc
  .array(fc.oneof(fc.constantFrom("a-b", "local", ""), fc.string({ maxLength: 20 })), { maxLength: 5 })
  .map((labels) => Buffer.concat([...labels.map((label) => Buffer.from(`\0${label}`)), Buffer.of(0)]))
  .map((labels) => {
    // The length of each label comes before it; some names end with a pointer.
    for (let at = 0, end = 0; at < labels.length - 1; at = end) {
      end = labels.indexOf(0, at + 1);
      labels[at] = (end - at - 1) & 63;
    }
    return labels;
  });
const pointer = fc.nat({ max: 80 }).map((offset) => Buffer.of(0xc0, offset));
const dnsRecord = fc
  .tuple(fc.oneof(name, pointer), fc.constantFrom(1, 5, 12, 16, 28, 33, 41, 47, 99), bytes(40))
  .map(([owner, type, data]) =>
    Buffer.concat([owner, uint16(type), uint16(1), Buffer.alloc(4, 1), uint16(data.length), data]),
  );
const dnsResponse = fc
  .tuple(fc.array(dnsRecord, { maxLength: 5 }), fc.option(fc.nat({ max: 80 }), { freq: 3 }))
  .map(([records, announced]) => {
    const counts = [0, announced ?? records.length, 0, 0].map(uint16);
    return Buffer.concat([uint16(0), uint16(0x8400), ...counts, ...records]);
  });

test("mDNS packets of any content do not end a query", { timeout: 600_000 }, async () => {
  const sender = createSocket("udp4");
  onTestFinished(() => void sender.close());
  let names = createMdnsResolver(loopback);
  let sent = 0;
  await fuzz(maybeChanged(dnsResponse), async (packet) => {
    if (sent % 200 === 0) {
      names.close();
      // A new one, because the packets of a query are limited.
      names = createMdnsResolver(loopback);
      void names.resolve("fuzz-1.local");
    }
    sent += 1;
    await new Promise((resolve) => sender.send(packet, loopback.port ?? 0, "127.0.0.1", resolve));
  });
  await startMdnsResponder("fuzz-2.local", "192.0.2.7");
  expect(await names.resolve("fuzz-2.local")).toBe("192.0.2.7");
  names.close();
});

import { expect, test } from "vitest";
import { createOutbox } from "./outbox.ts";
import { createSteadyPacer } from "./voice/test/steady-pacer.ts";

/** A channel that the test opens, fills and breaks. */
function createFixture({ open = false } = {}) {
  const sent: string[] = [];
  const channel = {
    open,
    bufferedBytes: 0,
    maxMessageBytes: 100,
    packetsReceived: 0,
    isBroken: false,
    sendText(text: string) {
      if (channel.isBroken) throw new Error("no channel");
      sent.push(text);
    },
  };
  const pacer = createSteadyPacer(0);
  return { channel, pacer, sent, outbox: createOutbox(channel, pacer.clock) };
}

test("queues messages until the channel opens, and sends them in order", async () => {
  const { channel, sent, outbox } = createFixture();
  const first = outbox.send({ n: 1 });
  const second = outbox.send("two");
  await Promise.resolve();
  expect(sent).toEqual([]);
  channel.open = true;
  outbox.opened();
  await Promise.all([first, second, outbox.send(undefined)]);
  expect(sent).toEqual(['{"n":1}', '"two"', "null"]);
});

test("queues 50 messages, and rejects the next with CALLER_NOT_READING", async () => {
  const { channel, sent, outbox } = createFixture();
  const queued = Array.from({ length: 50 }, (_, n) => outbox.send(n));
  await expect(outbox.send(50)).rejects.toMatchObject({ code: "CALLER_NOT_READING", status: 503 });
  channel.open = true;
  outbox.opened();
  await Promise.all(queued);
  expect(sent).toHaveLength(50);
});

test("waits while the channel's buffer is full", async () => {
  const { channel, pacer, sent, outbox } = createFixture({ open: true });
  channel.bufferedBytes = 1024 * 1024;
  const sending = outbox.send(1);
  pacer.advanceTo(1_000);
  expect(sent).toEqual([]);
  expect(pacer.timers).toBe(1);
  channel.bufferedBytes -= 1;
  pacer.advanceTo(1_020);
  await sending;
  expect(sent).toEqual(["1"]);
  expect(pacer.timers).toBe(0);
});

test("rejects a message above the caller's limit in bytes", async () => {
  const { outbox } = createFixture({ open: true });
  await expect(outbox.send("x".repeat(98))).resolves.toBeUndefined();
  await expect(outbox.send("x".repeat(99))).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE", status: 413 });
  await expect(outbox.send("ä".repeat(50))).rejects.toMatchObject({
    code: "MESSAGE_TOO_LARGE",
    message: expect.stringContaining("102 bytes"),
  });
});

test("checks queued messages again against the limit of the peer that carries them", async () => {
  const { channel, sent, outbox } = createFixture();
  channel.maxMessageBytes = Number.POSITIVE_INFINITY;
  const [large, small] = [outbox.send("x".repeat(200)), outbox.send("x")];
  const rejected = expect(large).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  channel.maxMessageBytes = 100;
  channel.open = true;
  outbox.opened();
  await Promise.all([rejected, small]);
  expect(sent).toEqual(['"x"']);
});

test("sends messages again that the old peer took after the caller's last packet, in order", async () => {
  const { channel, sent, outbox } = createFixture({ open: true });
  await outbox.send("arrives");
  channel.packetsReceived = 1;
  await outbox.send("lost");
  await outbox.send("lost too");
  channel.open = false;
  const queued = outbox.send("queued");
  channel.packetsReceived = 0; // The new peer.
  outbox.replaced(1);
  channel.open = true;
  outbox.opened();
  await queued;
  expect(sent).toEqual(['"arrives"', '"lost"', '"lost too"', '"lost"', '"lost too"', '"queued"']);

  // The new peer receives packets before it is replaced as well.
  channel.packetsReceived = 0;
  outbox.replaced(2);
  outbox.opened();
  await outbox.send("next");
  expect(sent.slice(6)).toEqual(['"next"']);
});

test("sends nothing after 1 MiB without a packet from the caller", async () => {
  const { channel, pacer, sent, outbox } = createFixture({ open: true });
  channel.maxMessageBytes = Number.POSITIVE_INFINITY;
  await outbox.send("x".repeat(1024 * 1024));
  const sending = outbox.send("next");
  pacer.advanceTo(1_000);
  expect(sent).toHaveLength(1);
  channel.packetsReceived = 1;
  pacer.advanceTo(1_020);
  await sending;
  expect(sent).toHaveLength(2);
});

test("rejects with MESSAGES_UNSUPPORTED for a caller without data channel, until one opens after all", async () => {
  const { channel, sent, outbox } = createFixture();
  const queued = outbox.send(1);
  outbox.unsupported();
  await expect(queued).rejects.toMatchObject({ code: "MESSAGES_UNSUPPORTED", status: 501 });
  await expect(outbox.send(2)).rejects.toMatchObject({ code: "MESSAGES_UNSUPPORTED" });
  channel.open = true;
  outbox.opened();
  await outbox.send(3);
  outbox.unsupported();
  await outbox.send(4);
  expect(sent).toEqual(["3", "4"]);
});

test("rejects a message that the channel does not take, and sends the next ones", async () => {
  const { channel, sent, outbox } = createFixture({ open: true });
  channel.isBroken = true;
  await expect(outbox.send(1)).rejects.toMatchObject({
    code: "CALL_ENDED",
    cause: expect.objectContaining({ message: "no channel" }),
  });
  channel.isBroken = false;
  await outbox.send(2);
  expect(sent).toEqual(["2"]);
});

test("close() rejects the queue and leaves no timer behind", async () => {
  const { channel, pacer, outbox } = createFixture({ open: true });
  channel.bufferedBytes = 2 * 1024 * 1024;
  const queued = outbox.send(1);
  const rejected = expect(queued).rejects.toMatchObject({ code: "CALL_ENDED", status: 409 });
  outbox.close();
  await rejected;
  await expect(outbox.send(2)).rejects.toMatchObject({ code: "CALL_ENDED" });
  expect(pacer.timers).toBe(0);
});

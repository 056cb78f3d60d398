import { expect, test } from "vitest";
import { createFakeClock, settle } from "../../runner-media/src/test/fake-clock.ts";
import { createOutbox } from "./outbox.ts";

/** A channel that is opened, filled and broken by hand. */
function stage({ open = false } = {}) {
  const sent: string[] = [];
  const channel = {
    open,
    bufferedBytes: 0,
    maxMessageBytes: 100,
    heard: 0,
    broken: false,
    sendText(text: string) {
      if (channel.broken) throw new Error("no channel");
      sent.push(text);
    },
  };
  const clock = createFakeClock();
  return { channel, clock, sent, outbox: createOutbox(channel, clock) };
}

/** What became of a promise so far. */
async function outcome(promise: Promise<void>): Promise<string> {
  const waits = settle().then(() => "waits");
  return await Promise.race([
    promise.then(
      () => "sent",
      (error) => error.code,
    ),
    waits,
  ]);
}

test("keeps what is sent before the channel opens, and sends it in order", async () => {
  const { channel, sent, outbox } = stage();
  const first = outbox.send({ n: 1 });
  const second = outbox.send("two");
  expect(await outcome(first)).toBe("waits");
  channel.open = true;
  outbox.opened();
  await Promise.all([first, second, outbox.send(undefined)]);
  expect(sent).toEqual(['{"n":1}', '"two"', "null"]);
});

test("keeps 50, and says of the next that the caller does not read", async () => {
  const { channel, sent, outbox } = stage();
  const kept = Array.from({ length: 50 }, (_, n) => outbox.send(n));
  await expect(outbox.send(50)).rejects.toMatchObject({ code: "CALLER_NOT_READING", status: 503 });
  channel.open = true;
  outbox.opened();
  await Promise.all(kept);
  expect(sent).toHaveLength(50);
});

test("waits while the channel is full, and goes on when it is not", async () => {
  const { channel, clock, sent, outbox } = stage({ open: true });
  channel.bufferedBytes = 1024 * 1024;
  const waiting = outbox.send(1);
  await clock.advance(1_000);
  expect(sent).toEqual([]);
  expect(clock.timers).toBe(1);
  channel.bufferedBytes -= 1;
  await clock.advance(20);
  await waiting;
  expect(sent).toEqual(["1"]);
  expect(clock.timers).toBe(0);
});

test("refuses a message above what the caller takes, in bytes, sent or not", async () => {
  const { outbox } = stage({ open: true });
  await expect(outbox.send("x".repeat(98))).resolves.toBeUndefined();
  await expect(outbox.send("x".repeat(99))).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE", status: 413 });
  await expect(outbox.send("ä".repeat(50))).rejects.toMatchObject({
    code: "MESSAGE_TOO_LARGE",
    message: expect.stringContaining("102 bytes"),
  });
});

test("what waits is measured again by the peer that it is sent to", async () => {
  const { channel, sent, outbox } = stage();
  channel.maxMessageBytes = Number.POSITIVE_INFINITY;
  const [large, small] = [outbox.send("x".repeat(200)), outbox.send("x")];
  const refused = expect(large).rejects.toMatchObject({ code: "MESSAGE_TOO_LARGE" });
  channel.maxMessageBytes = 100;
  channel.open = true;
  outbox.opened();
  await Promise.all([refused, small]);
  expect(sent).toEqual(['"x"']);
});

test("sends again over another peer what that before took after the caller's last sign of life, and in order", async () => {
  const { channel, sent, outbox } = stage({ open: true });
  await outbox.send("arrives");
  channel.heard = 1;
  await outbox.send("lost");
  await outbox.send("lost too");
  channel.open = false;
  const waiting = outbox.send("waits");
  channel.heard = 0; // the next peer's
  outbox.replaced(1);
  channel.open = true;
  outbox.opened();
  await waiting;
  expect(sent).toEqual(['"arrives"', '"lost"', '"lost too"', '"lost"', '"lost too"', '"waits"']);

  // That peer's caller answers before it is replaced too.
  channel.heard = 0;
  outbox.replaced(2);
  outbox.opened();
  await outbox.send("on");
  expect(sent.slice(6)).toEqual(['"on"']);
});

test("adds nothing to what may be lost once that is 1 MiB, until something comes from the caller", async () => {
  const { channel, clock, sent, outbox } = stage({ open: true });
  channel.maxMessageBytes = Number.POSITIVE_INFINITY;
  await outbox.send("x".repeat(1024 * 1024));
  const waiting = outbox.send("on");
  expect(await outcome(waiting)).toBe("waits");
  channel.heard = 1;
  await clock.advance(20);
  await waiting;
  expect(sent).toHaveLength(2);
});

test("says that a caller without data channel takes none, until one opens all the same", async () => {
  const { channel, sent, outbox } = stage();
  const waiting = outbox.send(1);
  outbox.missing();
  await expect(waiting).rejects.toMatchObject({ code: "MESSAGES_UNSUPPORTED", status: 501 });
  await expect(outbox.send(2)).rejects.toMatchObject({ code: "MESSAGES_UNSUPPORTED" });
  channel.open = true;
  outbox.opened();
  await outbox.send(3);
  outbox.missing();
  await outbox.send(4);
  expect(sent).toEqual(["3", "4"]);
});

test("a message that the channel does not take is refused, and those after it go on", async () => {
  const { channel, sent, outbox } = stage({ open: true });
  channel.broken = true;
  await expect(outbox.send(1)).rejects.toMatchObject({
    code: "CALL_ENDED",
    cause: expect.objectContaining({ message: "no channel" }),
  });
  channel.broken = false;
  await outbox.send(2);
  expect(sent).toEqual(["2"]);
});

test("what waits when the call ends is refused, and holds no timer", async () => {
  const { channel, clock, outbox } = stage({ open: true });
  channel.bufferedBytes = 2 * 1024 * 1024;
  const waiting = outbox.send(1);
  const refused = expect(waiting).rejects.toMatchObject({ code: "CALL_ENDED", status: 409 });
  outbox.close();
  await refused;
  await expect(outbox.send(2)).rejects.toMatchObject({ code: "CALL_ENDED" });
  expect(clock.timers).toBe(0);
});

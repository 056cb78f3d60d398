import type { AudioFrame } from "@pipecat-ts/audio";
import { findVoice, join, tone, until, within } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { hearEcho, openFixture } from "./test/fixture.ts";

test("a caller whose bot is slow receives silence, and then the bot on the same track", async () => {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const { call } = await openFixture(undefined, ready);
  const caller = await call();
  await until("silence arrives", () => caller.peer.packets.length > 25, 5_000);
  const payloads = caller.peer.packets.map(({ payload }) => payload);
  expect(payloads).toEqual(payloads.map(() => Buffer.from([0xf8, 0xff, 0xfe])));
  resolve();
  await hearEcho(caller, 440);
  const [first, ...others] = caller.peer.packets.map(({ header }) => header);
  if (first === undefined) return expect.fail("No packet arrived.");
  const ticks = others.map(({ timestamp }) => (timestamp - first.timestamp) >>> 0);
  const numbers = others.map(({ sequenceNumber }) => (sequenceNumber - first.sequenceNumber) & 0xffff);
  expect(ticks).toEqual(numbers.map((number) => number * 960));
  expect(new Set([first, ...others].map(({ ssrc }) => ssrc)).size).toBe(1);
});

test("the bot learns the state of the caller's tracks, and every change", async () => {
  const trackStatus = (receiver_index: unknown, enabled: unknown) =>
    JSON.stringify({ type: "signalling", message: { type: "trackStatus", receiver_index, enabled } });
  const events: unknown[] = [];
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const { call } = await openFixture(async ({ transport }) => {
    transport.on("trackStatus", (track, enabled) => events.push([track, enabled]));
    await transport.closed;
  }, ready);
  const caller = await call();
  const send = (...texts: string[]) => {
    for (const text of texts) caller.peer.channel?.send(text);
  };
  send(trackStatus(0, true), trackStatus(1, false));
  await until("both are sent", () => caller.peer.channel?.bufferedAmount === 0, 2_000);
  resolve();
  await until("the bot gets both", () => events.length === 2, 2_000);
  send(trackStatus(2, true), trackStatus(3, true), trackStatus(0, "yes"), trackStatus(0, false));
  await until("the bot gets the changes", () => events.length === 4, 2_000);
  expect(events).toEqual([
    ["microphone", true],
    ["camera", false],
    ["screen", true],
    ["microphone", false],
  ]);
});

test.each(["finishes", "fails"])("a caller gets peerLeft when the bot %s, however early", async (how) => {
  const { runner, call } = await openFixture(async () => {
    if (how === "fails") throw new Error("no model");
  });
  const caller = await call();
  expect(await caller.closed).toEqual({ reason: "peerLeft" });
  expect(caller.signals).toEqual([{ type: "peerLeft" }]);
  await until("the session has ended", () => runner.sessions.counts.active === 0, 1_000);
});

test("a caller who hangs up closes its connection once the runner has confirmed the end of the data channel", async () => {
  const { call } = await openFixture();
  const { peer, hangUp } = await call();
  const closed: string[] = [];
  peer.channel?.stateChange.subscribe((state) => state === "closed" && closed.push("channel"));
  const close = peer.connection.close.bind(peer.connection);
  peer.connection.close = () => {
    closed.push("connection");
    return close();
  };
  await hangUp();
  expect(closed.slice(0, 2)).toEqual(["channel", "connection"]);
});

/** The last packet of interrupted audio should leave 25 ms after the interruption. Three times that, in packets of 20 ms. */
const maxLatePackets = 4;

test("an interruption silences the bot at once for the caller, and the next utterance is complete", async () => {
  let framesBefore: number | undefined;
  const { call } = await openFixture(async ({ transport }) => {
    transport.on("appMessage", () => {
      transport.interrupt();
      framesBefore = caller.playout.enqueuedMs / 20;
      setTimeout(() => transport.play(utterance(880, 400)), 300);
    });
    await transport.play(utterance(440, 60_000)).done;
    await transport.closed;
  });
  const caller = await call();
  const frames = () => caller.playout.played().map(({ frame }) => frame);
  const framesAfter = () => frames().slice(framesBefore);

  await until("the caller hears the bot", () => voiceMs(frames()) > 300, 5_000);
  caller.sendMessage("stop");
  await until("the bot is interrupted", () => framesBefore !== undefined, 5_000);
  await until("the next utterance is played", () => voiceMs(framesAfter().slice(maxLatePackets)) > 360, 5_000);

  expect(framesAfter().findIndex(isSilent)).toBeLessThanOrEqual(maxLatePackets);
  expect(voiceMs(framesAfter().slice(maxLatePackets))).toBeLessThan(450);
  await within("the caller hangs up", caller.hangUp(), 5_000);
});

function isSilent({ samples }: AudioFrame): boolean {
  return samples.every((sample) => Math.abs(sample) < 100);
}

function voiceMs(frames: readonly AudioFrame[]): number {
  const voice = findVoice(join(frames));
  return voice ? voice.toMs - voice.fromMs : 0;
}

async function* utterance(hz: number, durationMs: number) {
  yield tone(hz, { durationMs, sampleRate: 24_000 });
}

import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createFakeClock } from "../../runner-media/src/test/fake-clock.ts";
import { createFarewell } from "./farewell.ts";
import type { PeerState } from "./peer/peer.ts";
import type { CallerAnswer } from "./peers.ts";

/** A caller whose channel is open, whose peers come and go by hand, and whose offers are answered when the test says. */
function stage() {
  const clock = createFakeClock();
  const asked: PromiseWithResolvers<CallerAnswer>[] = [];
  const current: { state: PeerState } = { state: "connected" };
  const peers = {
    pcId: "s.1",
    open: true,
    current: current as never,
    answer() {
      const answering = Promise.withResolvers<CallerAnswer>();
      asked.push(answering);
      return answering.promise;
    },
  };
  const left: number[] = [];
  const begunMs = clock.now();
  const farewell = createFarewell({
    peers,
    clock,
    after: (delayMs, act) => void clock.after(delayMs, act),
    left: () => left.push(clock.now() - begunMs),
  });

  /** The caller closes its channel. */
  function close(): void {
    peers.open = false;
    farewell.said();
  }
  /** The caller offers a new peer, and has its answer, or its refusal, at `ms`. */
  async function restart(ms: number, refusal?: Error): Promise<void> {
    const answered = farewell.answer({ sdp: "", pcId: peers.pcId, restart: true }).catch(() => undefined);
    await clock.advance(ms);
    if (refusal) asked.at(-1)?.reject(refusal);
    else {
      peers.pcId = "s.2";
      asked.at(-1)?.resolve({ sdp: "", pcId: "s.2" });
    }
    await answered;
  }
  return { clock, peers, current, left, farewell, close, restart };
}

const noPorts = new RunnerError("UDP_PORTS_EXHAUSTED", "All taken.", { status: 503 });

test("one who closes its channel has left 500 ms later", async () => {
  const { clock, left, close } = stage();
  close();
  await clock.advance(5_000);
  expect(left).toEqual([500]);
});

test("one who closes its peer has left, whatever became of its channel; one who opens another channel has not", async () => {
  const closed = stage();
  closed.current.state = "closed";
  closed.farewell.said();
  await closed.clock.advance(5_000);
  expect(closed.left).toEqual([500]);

  const reopened = stage();
  reopened.close();
  reopened.peers.open = true;
  await reopened.clock.advance(5_000);
  expect(reopened.left).toEqual([]);
});

test("one who has replaced the peer stays, however long the new one takes to connect", async () => {
  const { clock, left, close, restart } = stage();
  close();
  await restart(400);
  await clock.advance(5_000);
  expect(left).toEqual([]);
});

test("one whose new peer is being answered is waited for; when it is refused for good, the caller has left", async () => {
  const answered = stage();
  answered.close();
  await answered.restart(2_300);
  await answered.clock.advance(5_000);
  expect(answered.left).toEqual([]);

  const refused = stage();
  refused.close();
  await refused.restart(2_300, new RunnerError("OFFER_INVALID", "No."));
  await refused.clock.advance(5_000);
  expect(refused.left).toEqual([2_500]);
});

test.each([noPorts, new Error("unforeseen")])(
  "one who was refused for now, and closes the old peer, is on its way to try again: %s",
  async (refusal) => {
    const { clock, left, close, restart } = stage();
    await restart(100, refusal);
    await clock.advance(1_000);
    close();
    await clock.advance(60_000);
    expect(left).toEqual([]);
  },
);

test("one who closes the old peer first, and is refused for now, is on its way too", async () => {
  const { clock, left, close, restart } = stage();
  close();
  await restart(400, noPorts);
  await clock.advance(60_000);
  expect(left).toEqual([]);
});

test("one who was refused for good, or long before, and closes the peer has left", async () => {
  const forGood = stage();
  await forGood.restart(0, new RunnerError("OFFER_INVALID", "No."));
  forGood.close();
  await forGood.clock.advance(5_000);
  expect(forGood.left).toEqual([500]);

  const longBefore = stage();
  await longBefore.restart(0, noPorts);
  await longBefore.clock.advance(3_000);
  longBefore.close();
  await longBefore.clock.advance(5_000);
  expect(longBefore.left).toEqual([3_500]);
});

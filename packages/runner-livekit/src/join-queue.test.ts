import { until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import type { JoinRequest, RoomConnection, RoomListener } from "./client.ts";
import { createJoinQueue } from "./join-queue.ts";

const listener = {} as RoomListener;
const request: JoinRequest = {
  url: "ws://localhost:7880",
  token: "token",
  sampleRateIn: 16_000,
  sampleRateOut: undefined,
  timeoutMs: 5_000,
  signal: new AbortController().signal,
};

/** A queue whose joins settle when the test says so. */
function open() {
  const joins: PromiseWithResolvers<RoomConnection>[] = [];
  const join = createJoinQueue(() => {
    const joining = Promise.withResolvers<RoomConnection>();
    joins.push(joining);
    return joining.promise;
  });
  return { joins, join: (changes: Partial<JoinRequest> = {}) => join({ ...request, ...changes }, listener) };
}

const connection = {} as RoomConnection;

test("rooms are joined one after the other, also after a join that fails", async () => {
  const { joins, join } = open();
  const results = [join(), join(), join()];
  await until("the first room is being joined", () => joins.length === 1, 1_000);
  joins[0]?.reject(new Error("refused"));
  await expect(results[0]).rejects.toThrow("refused");
  await until("the second room is being joined", () => joins.length === 2, 1_000);
  joins[1]?.resolve(connection);
  await until("the third room is being joined", () => joins.length === 3, 1_000);
  joins[2]?.resolve(connection);
  expect(await Promise.all(results.slice(1))).toEqual([connection, connection]);
});

test("a bot whose call ends or that waits too long does not join, and those behind it do not overtake", async () => {
  const { joins, join } = open();
  const leaving = new AbortController();
  const first = join();
  const ended = join({ signal: leaving.signal });
  const late = join({ timeoutMs: 20 });
  const last = join();
  leaving.abort();
  await expect(ended).rejects.toMatchObject({ code: "CALL_ENDED" });
  await expect(late).rejects.toMatchObject({ code: "LIVEKIT_JOIN_TIMEOUT" });
  expect(joins).toHaveLength(1);
  joins[0]?.resolve(connection);
  await until("the last room is being joined", () => joins.length === 2, 1_000);
  joins[1]?.resolve(connection);
  expect(await Promise.all([first, last])).toEqual([connection, connection]);
});

import { expect, test } from "vitest";
import { createFakeClock } from "../test/fake-clock.ts";
import { createAnsweredRequests } from "./answered-requests.ts";

function asking(request: () => Promise<unknown> = async () => undefined) {
  const clock = createFakeClock();
  const asked: unknown[] = [];
  const answered = createAnsweredRequests(
    {
      request(method, ...args) {
        asked.push([method, ...args]);
        return request();
      },
    },
    clock,
  );
  const record = (options?: object) => answered.ask("startRecording", "recording-started", "recording-error", options);
  return { clock, answered, asked, record };
}

test("a request is answered by its event, and by no other", async () => {
  const { clock, answered, asked, record } = asking();
  const recording = record({ type: "cloud" });
  await null;
  answered.see({ action: "transcription-started" });
  answered.see({ action: "recording-started", recordingId: "r" });
  expect(await recording).toEqual({ action: "recording-started", recordingId: "r" });
  expect(asked).toEqual([["startRecording", { type: "cloud" }]]);
  expect(clock.timers).toBe(0);
});

test("it is over when the call is, without waiting for its answer", async () => {
  const { clock, answered, record } = asking();
  const recording = record();
  await null;
  answered.end();
  await expect(recording).rejects.toMatchObject({ code: "CALL_ENDED" });
  expect(clock.timers).toBe(0);
});

test("it is refused by an error event, by the method itself, and by silence", async () => {
  const { clock, answered, record } = asking();
  const refused = record();
  answered.see({ action: "recording-error", errorMsg: "not allowed: +1 555 123 4567" });
  await expect(refused).rejects.toMatchObject({
    code: "DAILY_CALL_FAILED",
    message: "Daily did not startRecording: not allowed: +….",
  });

  const silent = record();
  clock.advance(30_000);
  await expect(silent).rejects.toThrow("no answer in 30 s");

  const failing = asking(() => Promise.reject(new Error("closed")));
  await expect(failing.record()).rejects.toThrow("closed");
  expect([clock.timers, failing.clock.timers]).toEqual([0, 0]);
});

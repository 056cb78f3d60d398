import { expect, test } from "vitest";
import { createEventRequests } from "./requests.ts";
import { createFakeClock } from "./test/fake-clock.ts";

function openRequests(answer: () => Promise<unknown> = async () => undefined) {
  const clock = createFakeClock();
  const sent: unknown[] = [];
  const requests = createEventRequests(
    {
      request(method, ...args) {
        sent.push([method, ...args]);
        return answer();
      },
    },
    clock,
  );
  const record = (options?: object) => requests.send("startRecording", "recording-started", "recording-error", options);
  return { clock, requests, sent, record };
}

test("a request resolves with its own event only", async () => {
  const { clock, requests, sent, record } = openRequests();
  const recording = record({ type: "cloud" });
  await null;
  requests.event({ action: "transcription-started" });
  requests.event({ action: "recording-started", recordingId: "r" });
  expect(await recording).toEqual({ action: "recording-started", recordingId: "r" });
  expect(sent).toEqual([["startRecording", { type: "cloud" }]]);
  expect(clock.timers).toBe(0);
});

test("a request rejects when the call ends", async () => {
  const { clock, requests, record } = openRequests();
  const recording = record();
  await null;
  requests.end();
  await expect(recording).rejects.toMatchObject({ code: "CALL_ENDED" });
  expect(clock.timers).toBe(0);
});

test("a request rejects after an error event, when the method rejects, and after 30 s", async () => {
  const { clock, requests, record } = openRequests();
  const refused = record();
  requests.event({ action: "recording-error", errorMsg: "not allowed: +1 555 123 4567" });
  await expect(refused).rejects.toMatchObject({
    code: "DAILY_CALL_FAILED",
    message: "startRecording failed: not allowed: +….",
  });

  const silent = record();
  clock.advance(30_000);
  await expect(silent).rejects.toThrow("no answer in 30 s");

  const unanswered = openRequests(() => new Promise(() => undefined));
  const hanging = unanswered.record();
  unanswered.clock.advance(30_000);
  await expect(hanging).rejects.toThrow("no answer in 30 s");

  const failing = openRequests(() => Promise.reject(new Error("closed")));
  await expect(failing.record()).rejects.toThrow("closed");
  expect([clock.timers, failing.clock.timers]).toEqual([0, 0]);
});

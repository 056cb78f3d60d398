import { describe, expect, test } from "vitest";
import { createPhoneCalls } from "./phone-calls.ts";

function openPhoneCalls(answer: (method: string) => unknown = () => undefined) {
  const sent: unknown[] = [];
  const events: unknown[] = [];
  const { methods, event } = createPhoneCalls(
    {
      async request(method, ...args) {
        sent.push([method, ...args]);
        return answer(method);
      },
    },
    (refused) => events.push(refused),
  );
  return { methods, event, sent, events };
}

describe("phone calls", () => {
  test("apply keys, transfers and hang-ups to the latest call", async () => {
    const { methods, event, sent } = openPhoneCalls((method) =>
      method === "startDialOut" ? { session: { sessionId: "out" } } : undefined,
    );
    event({ action: "dialin-connected", sessionId: "in" });
    await methods.sendDtmf("1#");
    expect(await methods.startDialout({ phoneNumber: "+15551234567" })).toBe("out");
    await methods.sendDtmf("2", { method: "sip-info", digitDurationMs: 100 });
    await methods.sipCallTransfer({ toEndPoint: "+15550000000" });
    await methods.sipRefer({ sessionId: "in", toEndPoint: "sip:a@b" });
    await methods.stopDialout();
    expect(sent).toEqual([
      ["sendDTMF", { sessionId: "in", tones: "1#" }],
      ["startDialOut", { phoneNumber: "+15551234567" }],
      ["sendDTMF", { sessionId: "out", tones: "2", method: "sip-info", digitDurationMs: 100 }],
      ["sipCallTransfer", { sessionId: "out", toEndPoint: "+15550000000" }],
      ["sipRefer", { sessionId: "in", toEndPoint: "sip:a@b" }],
      ["stopDialOut", { sessionId: "out" }],
    ]);
  });

  test("reject and emit dialout-error when Daily refuses, because Daily sends no event", async () => {
    const { methods, events } = openPhoneCalls(() => {
      throw new Error("dialout is not enabled");
    });
    await expect(methods.startDialout({ phoneNumber: "+1" })).rejects.toThrow("dialout is not enabled");
    expect(events).toEqual([{ action: "dialout-error", errorMsg: "dialout is not enabled" }]);
  });

  test("reject without a call, and send nothing", async () => {
    const { methods, event, sent } = openPhoneCalls();
    event({ action: "dialin-ready", sessionId: "other" });
    event({ action: "dialin-connected", sessionId: 7 });
    for (const attempt of [
      () => methods.sendDtmf("1"),
      () => methods.stopDialout(),
      () => methods.sipRefer({ toEndPoint: "x" }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: "DAILY_CALL_FAILED", status: 409 });
    }
    expect(sent).toEqual([]);
  });
});

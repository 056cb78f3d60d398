import { describe, expect, test } from "vitest";
import { createPhoneCalls } from "./phone-calls.ts";

function calling(answer: (method: string) => unknown = () => undefined) {
  const asked: unknown[] = [];
  const told: unknown[] = [];
  const phones = createPhoneCalls(
    {
      async request(method, ...args) {
        asked.push([method, ...args]);
        return answer(method);
      },
    },
    (event) => told.push(event),
  );
  return { phones, asked, told };
}

describe("phone calls", () => {
  test("go out, and keys, transfers and hang-ups are for the phone that came last", async () => {
    const { phones, asked } = calling((method) =>
      method === "startDialOut" ? { session: { sessionId: "out" } } : undefined,
    );
    phones.see({ action: "dialin-connected", sessionId: "in" });
    await phones.sendDtmf("1#");
    expect(await phones.startDialout({ phoneNumber: "+15551234567" })).toBe("out");
    await phones.sendDtmf("2", { method: "sip-info", digitDurationMs: 100 });
    await phones.sipCallTransfer({ toEndPoint: "+15550000000" });
    await phones.sipRefer({ sessionId: "in", toEndPoint: "sip:a@b" });
    await phones.stopDialout();
    expect(asked).toEqual([
      ["sendDTMF", { sessionId: "in", tones: "1#" }],
      ["startDialOut", { phoneNumber: "+15551234567" }],
      ["sendDTMF", { sessionId: "out", tones: "2", method: "sip-info", digitDurationMs: 100 }],
      ["sipCallTransfer", { sessionId: "out", toEndPoint: "+15550000000" }],
      ["sipRefer", { sessionId: "in", toEndPoint: "sip:a@b" }],
      ["stopDialOut", { sessionId: "out" }],
    ]);
  });

  test("that are refused reject, and are told as an event, too: Daily sends none", async () => {
    const { phones, told } = calling(() => {
      throw new Error("dialout is not enabled");
    });
    await expect(phones.startDialout({ phoneNumber: "+1" })).rejects.toThrow("dialout is not enabled");
    expect(told).toEqual([{ action: "dialout-error", errorMsg: "dialout is not enabled" }]);
  });

  test("that are not there are not asked about", async () => {
    const { phones, asked } = calling();
    phones.see({ action: "dialin-ready", sessionId: "not a phone" });
    phones.see({ action: "dialin-connected", sessionId: 7 });
    for (const attempt of [
      () => phones.sendDtmf("1"),
      () => phones.stopDialout(),
      () => phones.sipRefer({ toEndPoint: "x" }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: "DAILY_CALL_FAILED", status: 409 });
    }
    expect(asked).toEqual([]);
  });
});

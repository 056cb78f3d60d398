import { until, within } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import type { DailyEvent } from "./call/daily-call.ts";
import { patienceMs, told, useBrowserCalls } from "./test/browser-calls.ts";
import { refusal } from "./test/daily-api.ts";
import { connectRtviClient } from "./test/rtvi-client.ts";

const { api, server, start, enter } = await useBrowserCalls();

describe("messages", () => {
  test("travel both ways, to all and to one, and a real RTVI client gets ready", async () => {
    const call = await start();
    const { transport } = call;
    const messages = told(transport, "appMessage");
    const [ann, ben] = [await enter(call, "Ann"), await enter(call, "Ben")];
    await until("both are there", () => transport.participants.size === 2, patienceMs);
    const ids = [...transport.participants.values()];
    const idOf = (name: string) => ids.find(({ info }) => info.userName === name)?.id ?? "";
    ann.sendMessage({ from: "Ann" });
    await until("it comes", () => messages.length > 0, patienceMs);
    expect(messages).toEqual([["appMessage", { from: "Ann" }, idOf("Ann")]]);
    await transport.sendMessage({ to: "all" });
    await transport.sendMessageTo(idOf("Ben"), { to: "Ben" });
    await until("they come", () => ben.messages.length >= 3 && ann.messages.length >= 1, patienceMs);
    expect(ann.messages).toEqual([{ to: "all" }]);
    expect(ben.messages).toEqual([{ from: "Ann" }, { to: "all" }, { to: "Ben" }]);

    const ready = await within("the client is ready", connectRtviClient(ann), patienceMs);
    expect(ready).toMatchObject({ version: "2.1.0", about: { library: "pipecat-runner" } });
  });

  test("that are too long for the room are refused, and harm nothing", async () => {
    const call = await start();
    await enter(call);
    await expect(call.transport.sendMessage({ text: "x".repeat(5_000) })).rejects.toMatchObject({
      code: "MESSAGE_TOO_LARGE",
      message: expect.stringContaining("4096"),
    });
    await expect(call.transport.sendMessage(undefined)).rejects.toThrow("JSON cannot say undefined");
    await call.transport.sendMessage({ text: "x".repeat(4_000) });
  });
});

describe("phones", () => {
  const dialin = { From: "+15551234567", To: "+15559876543", callId: "call-7", callDomain: "domain-7" };

  test("a call on hold is sent to the room when its address is ready, once, and its keys reach the bot", async () => {
    const { transport, room } = await start("/daily-dialin-webhook", dialin);
    const events = told(transport, "dialinReady", "dialinConnected", "dtmf", "dialinStopped");
    for (const index of [0, 1]) {
      server.announce(room, { action: "dialin-ready", sipEndpoint: `sip:${room}.${index}@test`, provider: "daily" });
    }
    await until("both are told", () => events.length === 2, patienceMs);
    expect(api.pinlessUpdates).toEqual([{ callId: "call-7", callDomain: "domain-7", sipUri: `sip:${room}.0@test` }]);
    server.announce(room, { action: "dialin-connected", sessionId: "s1", sipFrom: "+15551234567" });
    server.announce(room, { action: "dtmf-event", tone: "5", sessionId: "s1", method: "auto" });
    server.announce(room, { action: "dialin-stopped", sessionId: "s1" });
    await until("all is told", () => events.length === 5, patienceMs);
    expect(events.slice(2).map(([name, value]) => [name, (value as DailyEvent).sessionId ?? value])).toEqual([
      ["dialinConnected", "s1"],
      ["dtmf", "5"],
      ["dialinStopped", "s1"],
    ]);
    await transport.sendDtmf("12#", { method: "telephone-event" });
    expect(server.asked.at(-1)).toEqual({
      action: "send-dtmf",
      fields: { sessionId: "s1", tones: "12#", method: "telephone-event", digitDurationMs: 500 },
    });
  });

  test("a call that cannot be sent is told to the bot, without its number in the log", async () => {
    api.failNext("POST /dialin/pinlessCallUpdate", refusal(400, "invalid-request-error", "no call of +15551234567"));
    const { transport, room, logger } = await start("/daily-dialin-webhook", { ...dialin, callId: "call-8" });
    const events = told(transport, "dialinError", "error", "dialinReady");
    server.announce(room, { action: "dialin-ready", sipEndpoint: "sip:x@test", provider: "daily" });
    await until("it is told", () => events.length === 2, patienceMs);
    expect(events).toMatchObject([
      ["dialinError", { sipEndpoint: "sip:x@test" }],
      ["error", { code: "DAILY_REFUSED" }],
    ]);
    expect(JSON.stringify(logger.lines)).not.toContain("15551234567");
  });

  test("dial-out, transfer and refer reach Daily, and its refusals the bot", async () => {
    const { transport, room } = await start();
    const events = told(transport, "dialoutAnswered", "dialoutError");
    server.answer(({ action, fields }) => {
      if (action === "dialout-start")
        return fields.phoneNumber === "+1" ? { error: "not enabled" } : { session: { sessionId: "out-1" } };
      return {};
    });
    expect(await transport.startDialout({ phoneNumber: "+15550001111", displayName: "Ann" })).toBe("out-1");
    server.announce(room, { action: "dialout-answered", sessionId: "out-1" });
    await until("it is answered", () => events.length === 1, patienceMs);
    await transport.sipCallTransfer({ toEndPoint: "sip:desk@example.com" });
    await transport.sipRefer({ toEndPoint: "sip:desk@example.com" });
    await transport.stopDialout();
    expect(server.asked.slice(-4).map(({ action, fields }) => [action, fields.sessionId, fields.useSipRefer])).toEqual([
      ["dialout-start", undefined, undefined],
      ["sip-call-transfer", "out-1", false],
      ["sip-call-transfer", "out-1", true],
      ["dialout-stop", "out-1", undefined],
    ]);
    await expect(transport.startDialout({ phoneNumber: "+1" })).rejects.toMatchObject({ code: "DAILY_CALL_FAILED" });
    await until("it is told, too", () => events.length === 2, patienceMs);
    expect(events[1]).toMatchObject(["dialoutError", { action: "dialout-error" }]);
    await expect(transport.sendDtmf("nonsense")).rejects.toThrow("n is not valid DTMF tone");
  });
});

describe("the rest of a room", () => {
  test("recording and transcription are answered by Daily's events", async () => {
    const { transport } = await start();
    const answers: Record<string, DailyEvent> = {
      "local-recording-start": { action: "recording-started", recordingId: "r", instanceId: "i" },
      "local-recording-stop": { action: "recording-stopped", instanceId: "i" },
      "daily-method-start-transcription": { action: "transcription-error", errorMsg: "no key" },
      "daily-method-stop-transcription": { action: "transcription-stopped", instanceId: "i" },
    };
    server.answer(({ action }) => answers[action]);
    expect(await transport.startRecording({ type: "cloud" })).toMatchObject({ recordingId: "r" });
    expect(await transport.stopRecording()).toMatchObject({ action: "recording-stopped" });
    await expect(transport.startTranscription({ language: "en" })).rejects.toThrow("no key");
    expect(await transport.stopTranscription()).toMatchObject({ action: "transcription-stopped" });
    server.answer(() => undefined);
  });

  test("somebody is ejected; what daily-js cannot do says so", async () => {
    const call = await start();
    const caller = await enter(call);
    const [ann] = [...call.transport.participants.keys()];
    await call.transport.eject(String(ann));
    await within("they are out", caller.closed, patienceMs);
    expect(caller.events.at(-1)).toMatchObject({ action: "error", error: { type: "ejected" } });
    for (const attempt of [
      () => call.transport.captureParticipantVideo("x"),
      () => call.transport.setLogLevel("debug"),
      () => call.transport.sendPrebuiltChatMessage("x"),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: "DAILY_UNSUPPORTED", status: 501 });
    }
  });
});

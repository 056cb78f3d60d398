import { readdirSync } from "node:fs";
import { countSettledResources, settleResources, until, within } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import type { DailyEvent } from "./client.ts";
import { timeoutMs, useBrowserCalls } from "./test/browser-calls.ts";
import { browserProcesses, useOwnTemporaryFolder } from "./test/browser-processes.ts";
import { refusal } from "./test/daily-api.ts";
import { recordEvents } from "./test/fake-rooms.ts";
import { connectRtviClient } from "./test/rtvi-client.ts";

const { api, server, start, join } = await useBrowserCalls();

describe("messages", () => {
  test("travel in both directions, to all and to one, and a real RTVI client becomes ready", async () => {
    const call = await start();
    const { transport } = call;
    const messages = recordEvents(transport, "appMessage");
    const [ann, ben] = [await join(call, "Ann"), await join(call, "Ben")];
    await until("both are present", () => transport.participants.size === 2, timeoutMs);
    const ids = [...transport.participants.values()];
    const idOf = (name: string) => ids.find(({ info }) => info.userName === name)?.id ?? "";
    ann.sendMessage({ from: "Ann" });
    await until("it arrives", () => messages.length > 0, timeoutMs);
    expect(messages).toEqual([["appMessage", { from: "Ann" }, idOf("Ann")]]);
    await transport.sendMessage({ to: "all" });
    await transport.sendMessageTo(idOf("Ben"), { to: "Ben" });
    await until("they arrive", () => ben.messages.length >= 3 && ann.messages.length >= 1, timeoutMs);
    expect(ann.messages).toEqual([{ to: "all" }]);
    expect(ben.messages).toEqual([{ from: "Ann" }, { to: "all" }, { to: "Ben" }]);

    const ready = await within("the client is ready", connectRtviClient(ann), timeoutMs);
    expect(ready).toMatchObject({ version: "2.1.0", about: { library: "pipecat-runner" } });
  });

  test("above the limit of the room are rejected, and later ones work", async () => {
    const call = await start();
    await join(call);
    await expect(call.transport.sendMessage({ text: "x".repeat(5_000) })).rejects.toMatchObject({
      code: "MESSAGE_TOO_LARGE",
      message: expect.stringContaining("4096"),
    });
    await expect(call.transport.sendMessage(undefined)).rejects.toThrow("JSON cannot represent undefined");
    await call.transport.sendMessage({ text: "x".repeat(4_000) });
  });
});

describe("phone calls", () => {
  const dialin = { From: "+15551234567", To: "+15559876543", callId: "call-7", callDomain: "domain-7" };

  test("a call on hold is connected to the room once, and its keys reach the bot", async () => {
    const { transport, room } = await start("/daily-dialin-webhook", dialin);
    const events = recordEvents(transport, "dialinReady", "dialinConnected", "dtmf", "dialinStopped");
    for (const index of [0, 1]) {
      server.broadcast(room, { action: "dialin-ready", sipEndpoint: `sip:${room}.${index}@test`, provider: "daily" });
    }
    await until("both are emitted", () => events.length === 2, timeoutMs);
    expect(api.pinlessUpdates).toEqual([{ callId: "call-7", callDomain: "domain-7", sipUri: `sip:${room}.0@test` }]);
    server.broadcast(room, { action: "dialin-connected", sessionId: "s1", sipFrom: "+15551234567" });
    server.broadcast(room, { action: "dtmf-event", tone: "5", sessionId: "s1", method: "auto" });
    server.broadcast(room, { action: "dialin-stopped", sessionId: "s1" });
    await until("all are emitted", () => events.length === 5, timeoutMs);
    expect(events.slice(2).map(([name, value]) => [name, (value as DailyEvent).sessionId ?? value])).toEqual([
      ["dialinConnected", "s1"],
      ["dtmf", "5"],
      ["dialinStopped", "s1"],
    ]);
    await transport.sendDtmf("12#", { method: "telephone-event" });
    expect(server.requests.at(-1)).toEqual({
      action: "send-dtmf",
      fields: { sessionId: "s1", tones: "12#", method: "telephone-event", digitDurationMs: 500 },
    });
  });

  test("a call that cannot be connected is reported to the bot, without its number in the log", async () => {
    api.failNext("POST /dialin/pinlessCallUpdate", refusal(400, "invalid-request-error", "no call of +15551234567"));
    const { transport, room, logger } = await start("/daily-dialin-webhook", { ...dialin, callId: "call-8" });
    const events = recordEvents(transport, "dialinError", "error", "dialinReady");
    server.broadcast(room, { action: "dialin-ready", sipEndpoint: "sip:x@test", provider: "daily" });
    await until("it is emitted", () => events.length === 2, timeoutMs);
    expect(events).toMatchObject([
      ["dialinError", { sipEndpoint: "sip:x@test" }],
      ["error", { code: "DAILY_REFUSED" }],
    ]);
    expect(JSON.stringify(logger.lines)).not.toContain("15551234567");
  });

  test("dial-out, transfer and refer reach Daily, and its errors reach the bot", async () => {
    const { transport, room } = await start();
    const events = recordEvents(transport, "dialoutAnswered", "dialoutError");
    server.answer(({ action, fields }) => {
      if (action === "dialout-start")
        return fields.phoneNumber === "+1" ? { error: "not enabled" } : { session: { sessionId: "out-1" } };
      return {};
    });
    expect(await transport.startDialout({ phoneNumber: "+15550001111", displayName: "Ann" })).toBe("out-1");
    server.broadcast(room, { action: "dialout-answered", sessionId: "out-1" });
    await until("it is answered", () => events.length === 1, timeoutMs);
    await transport.sipCallTransfer({ toEndPoint: "sip:desk@example.com" });
    await transport.sipRefer({ toEndPoint: "sip:desk@example.com" });
    await transport.stopDialout();
    expect(
      server.requests.slice(-4).map(({ action, fields }) => [action, fields.sessionId, fields.useSipRefer]),
    ).toEqual([
      ["dialout-start", undefined, undefined],
      ["sip-call-transfer", "out-1", false],
      ["sip-call-transfer", "out-1", true],
      ["dialout-stop", "out-1", undefined],
    ]);
    await expect(transport.startDialout({ phoneNumber: "+1" })).rejects.toMatchObject({ code: "DAILY_CALL_FAILED" });
    await until("it is emitted", () => events.length === 2, timeoutMs);
    expect(events[1]).toMatchObject(["dialoutError", { action: "dialout-error" }]);
    await expect(transport.sendDtmf("nonsense")).rejects.toThrow("n is not valid DTMF tone");
  });
});

describe("other methods", () => {
  test("recording and transcription resolve with Daily's events", async () => {
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

  test("eject removes a participant; unsupported methods reject", async () => {
    const call = await start();
    const caller = await join(call);
    const [ann] = [...call.transport.participants.keys()];
    await call.transport.eject(String(ann));
    await within("the caller is out", caller.closed, timeoutMs);
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

describe("the end", () => {
  test("a browser that is killed during a call ends the session with an error", async () => {
    const call = await start();
    const events = recordEvents(call.transport, "error", "clientDisconnected", "left");
    const [session] = call.runner.sessions;
    process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
    expect(await within("the session ends", session?.ended ?? Promise.reject(), timeoutMs)).toBe("transport-failed");
    expect(await call.transport.closed).toBe("transport-failed");
    expect(events).toMatchObject([
      ["error", { code: "DAILY_BROWSER_CRASHED" }],
      ["clientDisconnected", "transport-failed"],
      ["left"],
    ]);
  });

  test("a room that ends during a call ends the session with an error", async () => {
    const call = await start();
    const events = recordEvents(call.transport, "error", "left");
    server.end(call.room);
    expect(await within("the call ends", call.transport.closed, timeoutMs)).toBe("transport-failed");
    expect(events).toMatchObject([["error", { code: "DAILY_CALL_LOST" }], ["left"]]);
  });

  test("createTransport rejects when Daily does not admit the bot", async () => {
    api.failNext("POST /meeting-tokens", { status: 200, body: { token: "x.eyJyb29tX25hbWUiOiJvdGhlciJ9.y" } });
    await expect(start()).rejects.toMatchObject({
      code: "DAILY_JOIN_REFUSED",
      message: expect.stringContaining("not-allowed"),
    });
  });

  test("12 sessions leave no process, temporary folder or open handle, however they end", {
    timeout: 120_000,
  }, async () => {
    const folder = useOwnTemporaryFolder();
    await (await start()).runner.close();
    const before = await countSettledResources();
    for (let round = 0; round < 6; round++) {
      const pair = await Promise.all([start(), start()]);
      const [one, other] = pair;
      if (round % 3 === 0) await one?.transport.close();
      else if (round % 3 === 1) process.kill(Number(browserProcesses()[0]?.pid), "SIGKILL");
      const closing = pair.map(({ runner }) => runner.close());
      await Promise.all(closing);
      expect(readdirSync(folder)).toEqual([]);
      expect(other?.runner.sessions.counts).toEqual({ pending: 0, active: 0 });
    }
    await until("no process is left", () => browserProcesses().length === 0, 3_000);
    expect(await settleResources(before, 10_000)).toEqual([]);
  });
});

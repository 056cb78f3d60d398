import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { options } from "./options.ts";
import { webhook } from "./webhook.ts";

const fields = { uuid: "u1", conversation_uuid: "CON-1", from: "15550100", to: "15550199" };
const call = { callId: "u1", ended: false, callData: { from: "15550100", to: "15550199", conversationId: "CON-1" } };

function answer(given: object, sampleRate = 16_000) {
  const request = {
    method: "POST",
    call,
    socketUrl: () => new URL("wss://bots.example.com/ws/3f"),
    bareSocketUrl: new URL("wss://bots.example.com/ws"),
    ...given,
  };
  return webhook.answer(request, resolveOptions(options, { given: { sampleRate }, env: {} }));
}

test("the NCCO connects the call to the socket, at the configured rate, and names the call", () => {
  const { type, body } = answer({}, 24_000);
  expect(type).toBe("application/json");
  expect(JSON.parse(body)).toEqual([
    {
      action: "connect",
      endpoint: [
        {
          type: "websocket",
          uri: "wss://bots.example.com/ws/3f",
          "content-type": "audio/l16;rate=24000",
          headers: { uuid: "u1" },
        },
      ],
    },
  ]);
});

test("a whisper speaks a text, or plays a file", () => {
  const ncco = (whisper: Parameters<NonNullable<typeof webhook.whisper>>[0]) =>
    JSON.parse(webhook.whisper?.(whisper).body ?? "");
  expect(ncco({ say: "Hello" })).toEqual([{ action: "talk", text: "Hello" }]);
  expect(ncco({ say: "Hola", language: "es-ES" })).toEqual([{ action: "talk", text: "Hola", language: "es-ES" }]);
  expect(ncco({ play: "https://x.example/a.mp3" })).toEqual([
    { action: "stream", streamUrl: ["https://x.example/a.mp3"] },
  ]);
});

test("reads the call from the answer webhook", () => {
  expect(webhook.recognizeCall(fields)).toEqual(call);
  expect(webhook.recognizeCall({})).toBe(undefined);
});

test("the event webhook reports the end of a call; other events get no NCCO and no session", () => {
  const statuses = ["started", "ringing", "answered", "machine", "disconnected", "completed", "failed", "timeout"];
  const ends = statuses.filter((status) => webhook.recognizeCall({ ...fields, status })?.ended);
  expect(ends).toEqual(["completed", "failed", "timeout"]);
  expect(webhook.recognizeCall({ ...fields, status: "ringing" })).toBe(undefined);
  expect(webhook.recognizeCall({ ...fields, timestamp: "2026-01-01T00:00:00Z" })).toBe(undefined);
  const socketUrl = () => {
    throw new Error("a session was created");
  };
  expect(answer({ call: undefined, socketUrl })).toEqual({ type: "text/plain", body: "" });
});

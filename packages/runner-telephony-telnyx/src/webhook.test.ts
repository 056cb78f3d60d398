import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { options } from "./options.ts";
import { webhook } from "./webhook.ts";

test("the answer asks for frames in both directions, in the codec that is sent", () => {
  const request = {
    method: "POST",
    socketUrl: () => new URL("wss://bots.example.com/ws/3f?a=1&b=2"),
    anySocketUrl: new URL("wss://bots.example.com/ws"),
  };
  const answer = (codec: string) =>
    webhook.answer(request, resolveOptions(options, { given: { codec }, env: {} })).body;
  expect(answer("PCMU")).toBe(
    '<?xml version="1.0" encoding="UTF-8"?><Response><Connect>' +
      '<Stream url="wss://bots.example.com/ws/3f?a=1&amp;b=2" bidirectionalMode="rtp" bidirectionalCodec="PCMU"/>' +
      "</Connect></Response>",
  );
  expect(answer("PCMA")).toContain('bidirectionalCodec="PCMA"');
});

test("a caller too many hears the busy tone", () => {
  expect(webhook.busy?.body).toContain('<Response><Reject reason="busy"/></Response>');
});

test("a request tells of the call by its fields", () => {
  const fields = { CallSid: "v3:C1", From: "+15550100", To: "+15550199", ConnectionId: "1", CallStatus: "ringing" };
  expect(webhook.recogniseCall(fields)).toEqual({
    callId: "v3:C1",
    callData: { from: "+15550100", to: "+15550199", connectionId: "1" },
  });
  expect(webhook.recogniseCall({})).toBe(undefined);
});

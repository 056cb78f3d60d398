import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { options } from "./options.ts";
import { webhook } from "./webhook.ts";

test("the reply requests frames in both directions, in the configured codec", () => {
  const request = {
    method: "POST",
    call: undefined,
    socketUrl: () => new URL("wss://bots.example.com/ws/3f?a=1&b=2"),
    bareSocketUrl: new URL("wss://bots.example.com/ws"),
  };
  const answer = (codec: string) =>
    webhook.answer(request, resolveOptions(options, { given: { codec }, env: {} })).body;
  expect(answer("PCMU")).toBe(
    '<?xml version="1.0" encoding="UTF-8"?><Response><Connect>' +
      '<Stream url="wss://bots.example.com/ws/3f?a=1&amp;b=2" bidirectionalMode="rtp" bidirectionalCodec="PCMU"/>' +
      "</Connect></Response>",
  );
  expect(answer("PCMA")).toContain('bidirectionalCodec="PCMA"');
  for (const codec of ["L16", "OPUS"]) {
    expect(answer(codec)).toContain(
      `bidirectionalMode="rtp" bidirectionalCodec="${codec}" bidirectionalSamplingRate="16000" codec="${codec}"/>`,
    );
  }
});

test("the busy reply plays the busy tone", () => {
  expect(webhook.busy?.body).toContain('<Response><Reject reason="busy"/></Response>');
});

test("reads the call from the fields of the request", () => {
  const fields = { CallSid: "v3:C1", From: "+15550100", To: "+15550199", ConnectionId: "1", CallStatus: "ringing" };
  expect(webhook.recognizeCall(fields)).toEqual({
    callId: "v3:C1",
    callData: { from: "+15550100", to: "+15550199", connectionId: "1" },
  });
  expect(webhook.recognizeCall({})).toBe(undefined);
});

import { expect } from "vitest";
import { describeOutboundCalls } from "../../runner-telephony/src/test/outbound-check.ts";
import { createFakePlivo } from "./caller.ts";
import plugin from "./plugin.ts";
import { sign } from "./signature.ts";

const account = { authId: "MA0123456789ABCDEFGH", authToken: "a token" };
const callId = "97ceeb52-58b6-11e1-86da-77300b68f8bb";
const requestId = "9834029e-58b6-11e1-b8b7-a5bd0e4e126f";
const authorization = `Basic ${Buffer.from(`${account.authId}:${account.authToken}`).toString("base64")}`;

describeOutboundCalls({
  plugin,
  options: (apiUrl) => ({ ...account, apiUrl }),
  carrier: createFakePlivo(account),
  callId,
  placed: { status: 201, body: JSON.stringify({ message: "call fired", request_uuid: requestId, api_id: "1" }) },
  place: ({ answer, status }) => ({
    method: "POST",
    path: `/v1/Account/${account.authId}/Call/`,
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({
      ...{ to: "15550100", from: "15550199", answer_url: answer, answer_method: "POST" },
      ...{ hangup_url: status, hangup_method: "POST", ring_timeout: 60 },
    }),
  }),
  detection: (status) => ({
    body: expect.stringContaining(
      JSON.stringify({
        machine_detection: "true",
        machine_detection_url: status,
        machine_detection_method: "POST",
      }).slice(1),
    ),
  }),
  cancel: { method: "DELETE", path: `/v1/Account/${account.authId}/Request/${requestId}/` },
  report(url, fields, isForged) {
    const ids = { CallUUID: callId, RequestUUID: requestId, Direction: "outbound" };
    const body = new URLSearchParams({ ...ids, ...fields });
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      "x-plivo-signature-v3-nonce": "a nonce",
      "x-plivo-signature-v3": sign("POST", url.href, body, "a nonce", isForged ? "another token" : account.authToken),
    };
    return { method: "POST", url, headers, body: body.toString() };
  },
  otherCall: { CallUUID: "00000000-58b6-11e1-86da-77300b68f8bb" },
  reports: [
    [undefined, { Event: "Ring", CallStatus: "ringing" }],
    [undefined, { Event: "MachineDetection", Machine: "false", CallStatus: "in-progress" }],
    [undefined, { Event: "Hangup", CallStatus: "busy", RequestUUID: callId }],
    ["busy", { Event: "Hangup", CallStatus: "busy" }],
    ["no-answer", { Event: "Hangup", CallStatus: "no-answer" }],
    ["no-answer", { Event: "Hangup", CallStatus: "timeout" }],
    ["failed", { Event: "Hangup", CallStatus: "failed" }],
    ["failed", { Event: "Hangup", CallStatus: "cancel" }],
    ["caller-left", { Event: "Hangup", CallStatus: "completed" }],
    ["machine", { Event: "MachineDetection", Machine: "true", CallStatus: "in-progress" }],
  ],
});

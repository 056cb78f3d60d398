import { sign } from "node:crypto";
import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { describeOutboundCalls } from "../../runner-telephony/src/test/outbound-check.ts";
import { createFakeTelnyx, createTelnyxAccount } from "./caller.ts";
import { dialing } from "./dialing.ts";
import { options } from "./options.ts";
import plugin from "./plugin.ts";

const account = createTelnyxAccount("a key");
const sids = { accountSid: "61bf923e-5e4d-4595-a110-56190ea18a1b", applicationSid: "1773070540731319841" };
const callId = "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg";

describeOutboundCalls({
  plugin,
  options: (apiUrl) => ({ apiKey: account.apiKey, publicKey: account.publicKey, apiUrl, ...sids }),
  carrier: createFakeTelnyx(account),
  callId,
  placed: { status: 200, body: '{"from":"+15550199","to":"+15550100","status":"queued"}' },
  place: ({ answer, status }) => ({
    method: "POST",
    path: `/v2/texml/Accounts/${sids.accountSid}/Calls`,
    headers: { authorization: "Bearer a key", "content-type": "application/json" },
    body: JSON.stringify({
      ...{ ApplicationSid: sids.applicationSid, To: "+15550100", From: "+15550199", Url: answer, UrlMethod: "POST" },
      ...{ StatusCallback: status, StatusCallbackMethod: "POST", StatusCallbackEvent: "initiated completed" },
      Timeout: 60,
    }),
  }),
  detection: (status) => ({
    body: expect.stringContaining(
      JSON.stringify({
        MachineDetection: "Enable",
        AsyncAmd: true,
        AsyncAmdStatusCallback: status,
        AsyncAmdStatusCallbackMethod: "POST",
      }).slice(1),
    ),
  }),
  cancel: { method: "POST", path: `/v2/calls/${encodeURIComponent(callId)}/actions/hangup` },
  report(url, fields, isForged) {
    const body = new URLSearchParams({ CallSid: callId, AccountSid: sids.accountSid, ...fields }).toString();
    const timestamp = String(Math.floor(Date.now() / 1000));
    const { privateKey } = isForged ? createTelnyxAccount("another key") : account;
    const signature = sign(null, Buffer.from(`${timestamp}|${body}`), privateKey).toString("base64");
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      "telnyx-timestamp": timestamp,
      "telnyx-signature-ed25519": signature,
    };
    return { method: "POST", url, headers, body };
  },
  otherCall: { CallSid: `v3:${"a".repeat(54)}` },
  reports: [
    [undefined, { CallStatus: "initiated", CallbackSource: "call-progress-events" }],
    [undefined, { AnsweredBy: "human", MachineDetectionDuration: "2500" }],
    ["busy", { CallStatus: "busy", HangupCause: "user_busy" }],
    ["no-answer", { CallStatus: "no-answer" }],
    ["failed", { CallStatus: "failed" }],
    ["failed", { CallStatus: "canceled" }],
    ["caller-left", { CallStatus: "completed", HangupCause: "normal_clearing" }],
    ["caller-left", { CallStatus: "completed", AnsweredBy: "machine_start" }],
    ["no-answer", { CallStatus: "no-answer", AnsweredBy: "fax" }],
    ["machine", { CallStatus: "in-progress", AnsweredBy: "machine_start" }],
    ["machine", { AnsweredBy: "machine_start" }],
    ["machine", { AnsweredBy: "fax" }],
  ],
});

test("account and application must be configured", () => {
  const given = (more: object) => resolveOptions(options, { given: { apiKey: "a key", ...more }, env: {} });
  const fix = "Set TELNYX_ACCOUNT_SID and TELNYX_APPLICATION_SID.";
  expect(dialing.missing?.(given({}))).toBe(fix);
  expect(dialing.missing?.(given({ accountSid: sids.accountSid }))).toBe(fix);
  expect(dialing.missing?.(given(sids))).toBeUndefined();
});

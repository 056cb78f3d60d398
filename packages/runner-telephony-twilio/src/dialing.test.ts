import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { describeOutboundCalls } from "../../runner-telephony/src/test/outbound-check.ts";
import { createFakeTwilio } from "./caller.ts";
import { dialing } from "./dialing.ts";
import { options } from "./options.ts";
import plugin from "./plugin.ts";
import { sign } from "./signature.ts";

const account = { accountSid: `AC${"0".repeat(32)}`, authToken: "a token" };
const callId = `CA${"1".repeat(32)}`;
const calls = `/2010-04-01/Accounts/${account.accountSid}/Calls`;
const form = (fields: Readonly<Record<string, string>>) => new URLSearchParams(fields).toString();
const authorization = `Basic ${Buffer.from(`${account.accountSid}:${account.authToken}`).toString("base64")}`;

function placing({ answer, status }: Readonly<Record<"answer" | "status", string>>) {
  return {
    ...{ To: "+15550100", From: "+15550199", Url: answer, Method: "POST" },
    ...{ StatusCallback: status, StatusCallbackMethod: "POST", Timeout: "60" },
  };
}

describeOutboundCalls({
  plugin,
  options: (apiUrl) => ({ ...account, apiUrl }),
  carrier: createFakeTwilio(account),
  callId,
  placed: { status: 201, body: JSON.stringify({ sid: callId, status: "queued", to: "+15550100" }) },
  place: (urls) => ({
    method: "POST",
    path: `${calls}.json`,
    headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
    body: form(placing(urls)),
  }),
  detection: (status) => ({
    body: expect.stringContaining(
      form({
        MachineDetection: "Enable",
        AsyncAmd: "true",
        AsyncAmdStatusCallback: status,
        AsyncAmdStatusCallbackMethod: "POST",
      }),
    ),
  }),
  cancel: { method: "POST", path: `${calls}/${callId}.json`, body: "Status=completed" },
  report(url, fields, isForged) {
    const body = new URLSearchParams({ CallSid: callId, AccountSid: account.accountSid, ...fields });
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": sign(url.href, body, isForged ? "another token" : account.authToken),
    };
    return { method: "POST", url, headers, body: body.toString() };
  },
  otherCall: { CallSid: `CA${"2".repeat(32)}` },
  reports: [
    [undefined, { CallStatus: "ringing", CallbackSource: "call-progress-events" }],
    [undefined, { AnsweredBy: "human", MachineDetectionDuration: "2500" }],
    ["busy", { CallStatus: "busy", CallbackSource: "call-progress-events" }],
    ["no-answer", { CallStatus: "no-answer" }],
    ["failed", { CallStatus: "failed", SipResponseCode: "404" }],
    ["failed", { CallStatus: "canceled" }],
    ["caller-left", { CallStatus: "completed", CallDuration: "1" }],
    ["caller-left", { CallStatus: "completed", AnsweredBy: "machine_start" }],
    ["no-answer", { CallStatus: "no-answer", AnsweredBy: "fax" }],
    ["machine", { CallStatus: "in-progress", AnsweredBy: "machine_start" }],
    ["machine", { AnsweredBy: "machine_start", MachineDetectionDuration: "3000" }],
    ["machine", { AnsweredBy: "fax" }],
  ],
});

test("the account must be configured", () => {
  const given = (more: object) => resolveOptions(options, { given: { authToken: "a token", ...more }, env: {} });
  expect(dialing.missing?.(given({}))).toBe("Set TWILIO_ACCOUNT_SID.");
  expect(dialing.missing?.(given(account))).toBeUndefined();
});

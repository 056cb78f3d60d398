import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { describeOutboundCalls } from "../../runner-telephony/src/test/outbound-check.ts";
import { createFakeExotel } from "./caller.ts";
import { dialing } from "./dialing.ts";
import { options } from "./options.ts";
import plugin from "./plugin.ts";

const account = { accountSid: "acme1", apiKey: "a key", apiToken: "a token" };
const callId = "80bfbec2d78bbbf10fb851f4fa165211";
const authorization = `Basic ${Buffer.from(`${account.apiKey}:${account.apiToken}`).toString("base64")}`;

describeOutboundCalls({
  plugin,
  options: (apiUrl) => ({ ...account, apiUrl, sampleRate: 16_000 }),
  carrier: createFakeExotel(account),
  callId,
  placed: { status: 200, body: JSON.stringify({ Call: { Sid: callId, Status: "in-progress" } }) },
  place: ({ socket, status }) => ({
    method: "POST",
    path: `/v1/Accounts/${account.accountSid}/Calls/connect.json`,
    headers: { authorization, "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      ...{ From: "+15550100", CallerId: "+15550199", StreamUrl: `${socket}?sample-rate=16000` },
      ...{ StreamType: "bidirectional", TimeOut: "60", StatusCallback: status },
      ...{ "StatusCallbackEvents[0]": "terminal", StatusCallbackContentType: "application/json" },
    }).toString(),
  }),
  report(url, fields) {
    const body = JSON.stringify({ CallSid: callId, EventType: "terminal", ...fields });
    return { method: "POST", url, headers: { "content-type": "application/json" }, body };
  },
  otherCall: { CallSid: "another" },
  reports: [
    [undefined, { EventType: "answered", Status: "in-progress" }],
    ["busy", { Status: "busy" }],
    ["no-answer", { Status: "no-answer" }],
    ["failed", { Status: "failed" }],
    ["caller-left", { Status: "completed" }],
  ],
  isUnsigned: true,
});

test("account, key and token must be configured", () => {
  const given = (more: Readonly<Record<string, unknown>>) => resolveOptions(options, { given: more, env: {} });
  expect(dialing.missing?.(given({ ...account, accountSid: undefined }))).toContain("EXOTEL_ACCOUNT_SID");
  expect(dialing.missing?.(given({ ...account, apiToken: undefined }))).toContain("EXOTEL_API_TOKEN");
  expect(dialing.missing?.(given(account))).toBeUndefined();
});

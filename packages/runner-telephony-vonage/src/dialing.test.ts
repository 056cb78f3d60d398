import { expect } from "vitest";
import { describeOutboundCalls } from "../../runner-telephony/src/test/outbound-check.ts";
import { createFakeVonage, createVonageAccount } from "./caller.ts";
import plugin from "./plugin.ts";
import { sign } from "./signature.ts";

const account = createVonageAccount("a secret");
const callId = "63f61863-4a51-4f6b-86e1-46edebcf9356";

describeOutboundCalls({
  plugin,
  options: (apiUrl) => ({ ...account, apiUrl }),
  carrier: createFakeVonage(account),
  callId,
  placed: {
    status: 201,
    body: JSON.stringify({ uuid: callId, status: "started", direction: "outbound", conversation_uuid: "CON-1" }),
  },
  place: ({ answer, status }) => ({
    method: "POST",
    path: "/v1/calls",
    headers: {
      authorization: expect.stringMatching(/^Bearer [\w-]+\.[\w-]+\.[\w-]+$/),
      "content-type": "application/json",
    },
    body: JSON.stringify({
      ...{ to: [{ type: "phone", number: "15550100" }], from: { type: "phone", number: "15550199" } },
      ...{ answer_url: [answer], answer_method: "POST", event_url: [status], event_method: "POST", ringing_timer: 60 },
    }),
  }),
  detection: () => ({ body: expect.stringContaining('"machine_detection":"continue"') }),
  cancel: { method: "PUT", path: `/v1/calls/${callId}`, body: '{"action":"hangup"}' },
  report(url, fields, isForged) {
    const body = JSON.stringify({ uuid: callId, from: "15550199", to: "15550100", ...fields });
    const headers = {
      "content-type": "application/json",
      ...sign(body, isForged ? "another secret" : (account.signatureSecret ?? "")),
    };
    return { method: "POST", url, headers, body };
  },
  otherCall: { uuid: "00000000-4a51-4f6b-86e1-46edebcf9356" },
  reports: [
    [undefined, { status: "ringing" }],
    [undefined, { status: "answered" }],
    ["busy", { status: "busy" }],
    ["no-answer", { status: "timeout" }],
    ["no-answer", { status: "unanswered" }],
    ["failed", { status: "failed" }],
    ["failed", { status: "rejected" }],
    ["failed", { status: "cancelled" }],
    ["caller-left", { status: "completed" }],
    ["machine", { status: "machine" }],
  ],
});

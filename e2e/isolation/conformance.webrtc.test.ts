import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { describeTransport } from "@pipecat-ts/runner-testing/vitest";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { afterAll } from "vitest";
import { connectCaller as connectByWebRTC, endpointOf } from "../../packages/runner-webrtc/src/caller.ts";
import { connectCaller as connectByWebSocket, socketUrl } from "../../packages/runner-websocket/src/caller.ts";
import { createIsolatedRunner } from "./isolated-runner.ts";

/** With process isolation, a session takes its place when it is created. */
const isolated = { createRunner: createIsolatedRunner, startTakesPlace: true };

// The conformance suite through the gateway, for each way in which callers reach a transport: sockets, webhooks, and offers.

describeTransport({
  plugin: websocket,
  entry: import.meta.resolve("@pipecat-ts/runner-websocket"),
  ...isolated,
  walkIn: true,
  connect: (invitation) => connectByWebSocket(socketUrl(invitation), invitation.start ? {} : { key: invitation.key }),
});

const account = { accountSid: "AC0123", authToken: "a token that must never be printed" };
const numbers = { from: "+15550100", to: "+15550199" };
const carrier = createFakeTwilio(account);
const api = await carrier.openApi();
afterAll(async () => await api.close());

describeTransport({
  plugin: twilio,
  entry: import.meta.resolve("@pipecat-ts/runner-telephony-twilio"),
  ...isolated,
  options: { ...account, apiUrl: api.url },
  messages: false,
  clears: true,
  levelToleranceDb: 1.5,
  privateTexts: Object.values(numbers),
  walkIn: "verified",
  connect: ({ url, start }) =>
    carrier.call({ at: url, ...numbers, ...(start && { socketUrl: String(start.reply.wsUrl) }) }),
});

describeTransport({
  plugin: webrtc,
  entry: import.meta.resolve("@pipecat-ts/runner-webrtc"),
  ...isolated,
  options: { callerTimeout: 1 },
  lossNoticedMs: 3_000,
  levelToleranceDb: 3,
  jitterBuffer: true,
  walkIn: true,
  connect: (invitation) => connectByWebRTC(endpointOf(invitation), {}, invitation.key),
});

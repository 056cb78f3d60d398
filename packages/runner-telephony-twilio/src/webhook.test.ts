import { createRequire } from "node:module";
import { resolveOptions } from "@pipecat-ts/runner-core";
import type twilio from "twilio";
import { expect, test } from "vitest";
import { options } from "./options.ts";
import { webhook } from "./webhook.ts";
import { parseXml } from "./xml-tree.ts";

const { VoiceResponse } = (createRequire(import.meta.url)("twilio") as typeof twilio).twiml;
const settings = resolveOptions(options, { env: {} });

test("the reply equals the TwiML of Twilio's SDK", () => {
  const url = "wss://bots.example.com/ws/3f?a=1&b='2'";
  const request = {
    method: "POST",
    call: undefined,
    socketUrl: () => new URL(url),
    bareSocketUrl: new URL("wss://bots.example.com/ws"),
  };
  const answer = webhook.answer(request, settings);
  const official = new VoiceResponse();
  official.connect().stream({ url: new URL(url).href });
  expect(parseXml(answer.body)).toEqual(parseXml(official.toString()));
  expect(answer.type).toBe("application/xml");
});

test("the busy reply equals the TwiML of Twilio's SDK", () => {
  const official = new VoiceResponse();
  official.reject({ reason: "busy" });
  expect(parseXml(webhook.busy?.body ?? "")).toEqual(parseXml(official.toString()));
});

test("a whisper equals the TwiML of Twilio's SDK", () => {
  const spoken = new VoiceResponse();
  spoken.say({ language: "es-ES" }, 'Él dijo "<ya>"');
  const said = webhook.whisper?.({ say: 'Él dijo "<ya>"', language: "es-ES" });
  expect(parseXml(said?.body ?? "")).toEqual(parseXml(spoken.toString()));
  const played = new VoiceResponse();
  played.play("https://example.com/a.mp3?b=1&c=2");
  const file = webhook.whisper?.({ play: "https://example.com/a.mp3?b=1&c=2" });
  expect(parseXml(file?.body ?? "")).toEqual(parseXml(played.toString()));
});

test("reads the call from the fields of the request", () => {
  const fields = { CallSid: "CA1", AccountSid: "AC1", From: "+15550100", To: "+15550199", Direction: "inbound" };
  expect(webhook.recognizeCall({ ...fields, CallStatus: "ringing" })).toEqual({
    callId: "CA1",
    callData: { from: "+15550100", to: "+15550199", accountSid: "AC1", direction: "inbound" },
  });
  expect(webhook.recognizeCall({ utm: "1" })).toBe(undefined);
});

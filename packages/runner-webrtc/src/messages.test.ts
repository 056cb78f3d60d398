import { expect, test } from "vitest";
import { parseChannelText, signal } from "./messages.ts";

const trackStatus = (fields: object): string =>
  JSON.stringify({ type: "signalling", message: { type: "trackStatus", ...fields } });

test.each([
  ["ping: 1764064800000", { kind: "ping" }],
  ["ping", { kind: "ping" }],
  [trackStatus({ receiver_index: 0, enabled: true }), { kind: "trackStatus", track: "microphone", enabled: true }],
  [trackStatus({ receiver_index: 1, enabled: false }), { kind: "trackStatus", track: "camera", enabled: false }],
  [trackStatus({ receiver_index: 2, enabled: false }), { kind: "trackStatus", track: "screen", enabled: false }],
])("%s is a message of the client", (text, message) => {
  expect(parseChannelText(text)).toEqual(message);
});

test.each([
  trackStatus({ receiver_index: 3, enabled: true }),
  trackStatus({ receiver_index: -1, enabled: true }),
  trackStatus({ receiver_index: "length", enabled: true }),
  trackStatus({ receiver_index: 0, enabled: "yes" }),
  trackStatus({ enabled: true }),
  '{"type":"signalling"}',
  '{"type":"signalling","message":null}',
  '{"type":"signalling","message":"trackStatus"}',
  '{"type":"signalling","message":{"type":"peerLeft"}}',
])("%s is unknown signaling, not an app message", (text) => {
  expect(parseChannelText(text)).toEqual({ kind: "signaling" });
});

test.each([
  { label: "rtvi-ai", type: "client-ready", id: "1", data: {} },
  { type: "Signalling" },
  [],
  "ping",
  7,
  false,
  null,
])("%j is an app message", (message) => {
  expect(parseChannelText(JSON.stringify(message))).toEqual({ kind: "app", message });
});

test.each(["", " ", "{", "hello", "\u0000", "NaN", "{'a':1}"])("%j is not a message", (text) => {
  expect(parseChannelText(text)).toBeUndefined();
});

test("signals have the shape that small-webrtc-transport 1.10.8 expects", () => {
  expect(JSON.parse(signal("peerLeft"))).toEqual({ type: "signalling", message: { type: "peerLeft" } });
  expect(JSON.parse(signal("renegotiate"))).toEqual({ type: "signalling", message: { type: "renegotiate" } });
});

import { type DoctorContext, resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { doctorChecks } from "./doctor.ts";
import { type WebRTCOptions, webrtcOptions } from "./options.ts";

function namesFor(options: Partial<WebRTCOptions>, host = "localhost"): readonly string[] {
  const settings = { host, trustProxy: false } as DoctorContext["settings"];
  const defaults = resolveOptions(webrtcOptions, { given: {}, env: {} });
  return doctorChecks({ ...defaults, ...options }, { settings }).map(({ name }) => name);
}

const turn = { urls: "turn:turn.example.com", username: "heron", credential: "reeds" };
const stun = { urls: "stun:stun.example.com" };

test("the servers of callers are checked too, each once", () => {
  const options = { iceServers: [stun], callerIceServers: [stun, turn] };
  expect(namesFor(options, "0.0.0.0")).toEqual([
    "UDP",
    "STUN server stun.example.com:3478",
    "TURN server turn.example.com:3478 over udp",
  ]);
  expect(() => namesFor({ callerIceServers: [{ urls: "http://x" }] })).toThrow("not a STUN or TURN URL");
});

test("with --esp32, the bot uses no server, and devices must reach the host", () => {
  expect(namesFor({ esp32: true, iceServers: [stun] }, "192.168.1.100")).toEqual(["UDP"]);
  expect(() => namesFor({ esp32: true })).toThrow("--esp32: devices cannot reach this machine");
});

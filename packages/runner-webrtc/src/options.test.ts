import { resolveOptions } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import { checkSettings, type WebRTCOptions, webrtcOptions } from "./options.ts";

const resolve = (given: Record<string, unknown> = {}, env: Record<string, string> = {}): WebRTCOptions => {
  const options = resolveOptions(webrtcOptions, { given, env });
  checkSettings(options);
  return options;
};
const turn = { urls: "turn:turn.example.net", username: "caller", credential: "s3cret" };

test("nothing is needed", () => {
  expect(resolve()).toEqual({
    iceServers: [],
    relayOnly: false,
    announceIp: undefined,
    udpPorts: undefined,
    callerTimeout: 10,
    esp32: false,
  });
});

test("flags go before the environment, and code may give values", () => {
  const env = {
    PIPECAT_ICE_SERVERS: JSON.stringify([turn]),
    PIPECAT_RELAY_ONLY: "yes",
    PIPECAT_ANNOUNCE_IP: "203.0.113.9",
    PIPECAT_UDP_PORTS: " 50000-50999 ",
    PIPECAT_CALLER_TIMEOUT: "2.5",
    PIPECAT_ESP32: "yes",
  };
  const fromEnv = {
    iceServers: [turn],
    relayOnly: true,
    announceIp: "203.0.113.9",
    udpPorts: [50_000, 50_999],
    callerTimeout: 2.5,
    esp32: true,
  };
  expect(resolve({}, env)).toEqual(fromEnv);
  const given = {
    iceServers: [turn, { urls: ["stun:stun.example.net"] }],
    announceIp: "2001:db8::9",
    udpPorts: [1, 1],
  };
  expect(resolve(given, env)).toEqual({ ...fromEnv, ...given });
});

describe("what cannot be is refused by the name it was given by, and no secret is shown", () => {
  test.each([
    ["PIPECAT_ICE_SERVERS", "turn:caller:s3cret@turn.example.net", "--ice-servers"],
    ["PIPECAT_ICE_SERVERS", '{"urls":"turn:turn.example.net","credential":"s3cret"}', "--ice-servers"],
    [
      "PIPECAT_ICE_SERVERS",
      '[{"urls":"turn:turn.example.net","username":"caller","credential":"s3cret"',
      "separated by commas",
    ],
    ["PIPECAT_RELAY_ONLY", "perhaps", "--relay-only"],
    ["PIPECAT_ANNOUNCE_IP", "my.example.net", "--announce-ip"],
    ["PIPECAT_ANNOUNCE_IP", "203.0.113.256", "an IP address"],
    ["PIPECAT_UDP_PORTS", "50999-50000", "--udp-ports"],
    ["PIPECAT_UDP_PORTS", "50000", "two ports"],
    ["PIPECAT_UDP_PORTS", "0-10", "65535"],
    ["PIPECAT_UDP_PORTS", "50000-70000", "65535"],
    ["PIPECAT_CALLER_TIMEOUT", "0.5", "--caller-timeout"],
  ])("%s=%s", (name, text, says) => {
    expect(() => resolve({}, { [name]: text })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(name) }),
    );
    expect(refusal({}, { [name]: text })).toContain(says);
    expect(refusal({}, { [name]: text })).not.toContain("s3cret");
  });

  test.each([
    ["no TURN server to relay", { relayOnly: true, iceServers: "stun:stun.example.net" }, "--ice-servers"],
    ["ports the wrong way round", { udpPorts: [2, 1] }, "lower port first"],
    [
      "a server without credentials",
      { iceServers: [{ urls: "turn:turn.example.net", credential: "s3cret" }] },
      "turn.example.net",
    ],
    [
      "a server with its login in the URL",
      { iceServers: [{ urls: "turn:caller:s3cret@turn.example.net" }] },
      "turn:…@turn",
    ],
  ])("%s", (_, given, says) => {
    expect(() => resolve(given)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(refusal(given)).toContain(says);
    expect(refusal(given)).not.toContain("s3cret");
  });

  function refusal(given: Record<string, unknown>, env: Record<string, string> = {}): string {
    try {
      resolve(given, env);
      return "";
    } catch (error) {
      return `${error} ${(error as { readonly fix?: string }).fix}`;
    }
  }
});

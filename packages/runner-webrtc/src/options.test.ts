import { resolveOptions } from "@pipecat-ts/runner-core";
import { describe, expect, test } from "vitest";
import {
  type CallsOptions,
  checkSettings,
  esp32Options,
  parseIceServerList,
  type WebRTCOptions,
  webrtcOptions,
} from "./options.ts";

const resolve = (given: Record<string, unknown> = {}, env: Record<string, string> = {}): WebRTCOptions => {
  const options = resolveOptions(webrtcOptions, { given, env });
  checkSettings(options);
  return options;
};
const turn = { urls: "turn:turn.example.net", username: "caller", credential: "s3cret" };

test("all options have defaults", () => {
  expect(resolve()).toEqual({
    iceServers: [],
    relayOnly: false,
    announceIp: undefined,
    udpPorts: undefined,
    callerTimeout: 10,
    esp32: false,
  });
});

test("flags and code override environment variables", () => {
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

describe("invalid options are rejected by name, without secrets", () => {
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
  ])("%s=%s", (name, text, expected) => {
    expect(() => resolve({}, { [name]: text })).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(name) }),
    );
    expect(errorOf({}, { [name]: text })).toContain(expected);
    expect(errorOf({}, { [name]: text })).not.toContain("s3cret");
  });

  test.each([
    ["--relay-only without a TURN server", { relayOnly: true, iceServers: "stun:stun.example.net" }, "--ice-servers"],
    ["a port range with the higher port first", { udpPorts: [2, 1] }, "lower port first"],
    [
      "a TURN server without credentials",
      { iceServers: [{ urls: "turn:turn.example.net", credential: "s3cret" }] },
      "turn.example.net",
    ],
    [
      "a TURN server with credentials in its URL",
      { iceServers: [{ urls: "turn:caller:s3cret@turn.example.net" }] },
      "turn:…@turn",
    ],
  ])("%s", (_, given, expected) => {
    expect(() => resolve(given)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
    expect(errorOf(given)).toContain(expected);
    expect(errorOf(given)).not.toContain("s3cret");
  });

  function errorOf(given: Record<string, unknown>, env: Record<string, string> = {}): string {
    try {
      resolve(given, env);
      return "";
    } catch (error) {
      return `${error} ${(error as { readonly fix?: string }).fix}`;
    }
  }
});

describe("--ice-servers", () => {
  const stun = "stun:stun.example.net:3478";
  const turnServer = { urls: "turn:turn.example.net:3478?transport=udp", username: "caller", credential: 'a"},{[,' };

  test.each([
    ["a bare URL", stun, [{ urls: stun }]],
    [
      "bare URLs separated by commas",
      ` ${stun}, stuns:[2001:db8::1] ,`,
      [{ urls: stun }, { urls: "stuns:[2001:db8::1]" }],
    ],
    ["a JSON object with commas and brackets in its strings", JSON.stringify(turnServer), [turnServer]],
    [
      "JSON objects and URLs separated by commas",
      `${JSON.stringify(turnServer)},${stun}`,
      [turnServer, { urls: stun }],
    ],
    [
      "a JSON array of objects",
      JSON.stringify([{ urls: [stun] }, turnServer], undefined, 2),
      [{ urls: [stun] }, turnServer],
    ],
    ["a JSON array of URLs", JSON.stringify([stun, stun]), [{ urls: stun }, { urls: stun }]],
    ["arrays separated by commas", `[${JSON.stringify(turnServer)}],["${stun}"]`, [turnServer, { urls: stun }]],
    ["an empty list", " , ", []],
  ])("%s", (_, text, servers) => {
    expect(parseIceServerList(text)).toEqual(servers);
  });

  test("other fields are removed, because every caller would receive them", () => {
    const withOtherFields = {
      ...turnServer,
      credentialType: "password",
      apiKey: "secret",
      username: turnServer.username,
    };
    expect(parseIceServerList(JSON.stringify(withOtherFields))).toEqual([turnServer]);
  });

  test.each([
    "http://stun.example.net",
    "stun.example.net:3478",
    "stun://stun.example.net",
    "turn:turn.example.net",
    '{"urls":"turn:turn.example.net","username":"caller"}',
    '{"urls":"turn:turn.example.net","username":7,"credential":8}',
    '{"urls":7}',
    '{"url":"stun:stun.example.net"}',
    "{}",
    "[7]",
    "[null]",
    "{",
    '{"urls":"stun:stun.example.net"',
    `${stun},,{]`,
  ])("%s is rejected", (text) => {
    expect(() => parseIceServerList(text)).toThrow();
  });
});

describe("--esp32", () => {
  const settings: CallsOptions = { iceServers: [], relayOnly: false, callerTimeout: 10 };

  test.each(["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "::", "::1", "fd00::2", "voice.example.com"])(
    "with --host %s is an error that shows what to use",
    (host) => {
      expect(() => esp32Options(settings, host)).toThrow(
        expect.objectContaining({
          code: "OPTION_INVALID",
          message: expect.stringContaining(`"${host}"`),
          fix: expect.stringMatching(/--host.*192\.168\.1\.100/),
        }),
      );
    },
  );

  test("announces only the address of the host, and uses no ICE servers", () => {
    const servers = [{ urls: "stun:stun.example.com" }];
    expect(esp32Options({ ...settings, iceServers: servers }, "192.168.1.100")).toEqual({
      ...settings,
      iceServers: [],
      hostAddress: "192.168.1.100",
    });
  });

  test("announces the address of --announce-ip instead, if it is set", () => {
    expect(esp32Options({ ...settings, announceIp: "192.168.1.100" }, "0.0.0.0")).not.toHaveProperty("hostAddress");
    expect(() => esp32Options({ ...settings, announceIp: "fd00::1" }, "192.168.1.100")).toThrow("fd00::1");
  });

  test("and --relay-only cannot be combined", () => {
    expect(() => esp32Options({ ...settings, relayOnly: true }, "192.168.1.100")).toThrow("--relay-only");
  });
});

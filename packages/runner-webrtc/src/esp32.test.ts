import { networkInterfaces } from "node:os";
import { createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import {
  createRecordingLogger,
  cut,
  excerpt,
  findVoice,
  join,
  measurePitch,
  tone,
  until,
} from "@pipecat-ts/runner-testing";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import type { CallsOptions } from "./calls.ts";
import { optionsForDevices } from "./esp32.ts";
import plugin from "./plugin.ts";
import { callAsDevice } from "./test/device.ts";
import { readDeviceAnswer } from "./test/device-parser.ts";

vi.setConfig({ testTimeout: 60_000 });

const settings: CallsOptions = { iceServers: [], relayOnly: false, callerTimeout: 10 };

/** This machine's address in a network, as `--host` would be given. */
function ownAddress(): string {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const address = own.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
  if (address === undefined) throw new Error("This test needs a network interface with an IPv4 address.");
  return address;
}

async function openRunner(host: string) {
  const logger = createRecordingLogger();
  const bot = async (args: RunnerArguments) => {
    const transport = await createTransport(args, { webrtc: () => ({}) });
    await transport.input.pipeTo(transport.output);
  };
  const pluginOptions = { webrtc: { esp32: true, callerTimeout: 1, iceServers: [{ urls: "stun:192.0.2.1" }] } };
  const runner = createRunner({ bot, plugins: [plugin], pluginOptions, host, port: 0, env: {}, logger });
  onTestFinished(() => runner.close());
  await runner.listen();
  return { runner, logger };
}

describe("--esp32", () => {
  test.each(["localhost", "127.0.0.1", "127.1.2.3", "0.0.0.0", "::", "::1", "fd00::2", "voice.example.com"])(
    "with --host %s is an error that says what to give",
    (host) => {
      expect(() => optionsForDevices(settings, host)).toThrow(
        expect.objectContaining({
          code: "OPTION_INVALID",
          message: expect.stringContaining(`"${host}"`),
          fix: expect.stringMatching(/--host.*192\.168\.1\.100/),
        }),
      );
    },
  );

  test("stops the start with a host that no device can reach", async () => {
    await expect(openRunner("localhost")).rejects.toMatchObject({ code: "OPTION_INVALID" });
  });

  test("leaves the host's address alone to be reached, and asks no server", () => {
    const servers = [{ urls: "stun:stun.example.com" }];
    expect(optionsForDevices({ ...settings, iceServers: servers }, "192.168.1.100")).toEqual({
      ...settings,
      iceServers: [],
      hostAddress: "192.168.1.100",
    });
  });

  test("takes the announced address where the host's own is not what devices reach", () => {
    expect(optionsForDevices({ ...settings, announceIp: "192.168.1.100" }, "0.0.0.0")).not.toHaveProperty(
      "hostAddress",
    );
    expect(() => optionsForDevices({ ...settings, announceIp: "fd00::1" }, "192.168.1.100")).toThrow("fd00::1");
  });

  test("and --relay-only exclude each other", () => {
    expect(() => optionsForDevices({ ...settings, relayOnly: true }, "192.168.1.100")).toThrow("--relay-only");
  });
});

describe("a device", () => {
  test("calls in, hears and is heard, and is missed when its power is cut", async () => {
    const host = ownAddress();
    const { runner, logger } = await openRunner(host);
    const device = await callAsDevice(new URL("/api/offer", runner.url));
    onTestFinished(() => device.drop());
    expect(device.answer.candidates.map((candidate) => candidate.host)).toEqual([host]);

    // The bot echoes, though no client-ready comes.
    const frames = cut(tone(440, { durationMs: 20_000, sampleRate: device.sampleRate }));
    const beganMs = performance.now();
    let spoken = 0;
    await until(
      "the device hears its echo",
      () => {
        for (; performance.now() >= beganMs + spoken * 20; spoken++)
          device.speak(frames[spoken]?.samples ?? new Int16Array(320));
        const heard = join(device.playout.played().map(({ frame }) => frame));
        const { toMs } = findVoice(heard) ?? { toMs: 0 };
        return Math.round((measurePitch(excerpt(heard, toMs - 200, toMs)) ?? 0) / 10) === 44;
      },
      20_000,
    );

    await device.drop();
    await until("the session is over", () => runner.sessions.counts.active === 0, 30_000);
    expect(logger.lines.at(-1)).toMatchObject({ fields: { reason: "caller-left" } });
  });

  test("would misread other answers, so its parser here is as strict", () => {
    const fingerprint = `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "AB").join(":")}`;
    const lines = [
      ...["m=audio 9 UDP/TLS/RTP/SAVP 111", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host", fingerprint],
      ...["a=setup:active", "a=ssrc:7 cname:bot"],
    ];
    const read = (...more: string[]) => readDeviceAnswer(`${[...lines, ...more].join("\r\n")}\r\n`);
    expect(read().audioSsrc).toBe(7);
    expect(() => read("a=fingerprint:sha-512 AB:AB")).toThrow("none of SHA-256");
    expect(() => read("a=candidate:2 1 udp 1 fd00::2 9 typ host")).toThrow("cannot use");
    expect(() => read("a=candidate:2 1 udp 1 192.0.2.2 9 typ srflx raddr 0.0.0.0 rport 0")).toThrow("cannot use");
    expect(() => read(`a=x:${"y".repeat(256)}`)).toThrow("overruns");
    expect(() => read("a=setup:passive")).toThrow("nobody opens DTLS");
  });
});

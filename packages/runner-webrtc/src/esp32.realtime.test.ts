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
import { expect, onTestFinished, test } from "vitest";
import plugin from "./plugin.ts";
import { callAsDevice, readDeviceAnswer } from "./test/esp32-device.ts";

/** This machine's address in a network, which is what `--host` would be. */
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

test("a host that devices cannot reach stops the start", async () => {
  await expect(openRunner("localhost")).rejects.toMatchObject({ code: "OPTION_INVALID" });
});

test("a device connects, hears its echo, and has left when its power is cut", async () => {
  const host = ownAddress();
  const { runner, logger } = await openRunner(host);
  const device = await callAsDevice(new URL("/api/offer", runner.url));
  onTestFinished(() => device.drop());
  expect(device.answer.candidates.map((candidate) => candidate.host)).toEqual([host]);

  // The bot echoes although no client-ready arrives.
  const frames = cut(tone(440, { durationMs: 20_000, sampleRate: device.sampleRate }));
  const startedMs = performance.now();
  let sent = 0;
  await until(
    "the device hears its echo",
    () => {
      for (; performance.now() >= startedMs + sent * 20; sent++)
        device.speak(frames[sent]?.samples ?? new Int16Array(320));
      const received = join(device.playout.played().map(({ frame }) => frame));
      const { toMs } = findVoice(received) ?? { toMs: 0 };
      return Math.round((measurePitch(excerpt(received, toMs - 200, toMs)) ?? 0) / 10) === 44;
    },
    20_000,
  );

  await device.drop();
  await until("the session has ended", () => runner.sessions.counts.active === 0, 30_000);
  expect(logger.lines.at(-1)).toMatchObject({ fields: { reason: "caller-left" } });
});

test("the simulated device rejects answers that a real one would misread", () => {
  const fingerprint = `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "AB").join(":")}`;
  const lines = [
    ...["m=audio 9 UDP/TLS/RTP/SAVP 111", "a=candidate:1 1 udp 1 192.0.2.1 9 typ host", fingerprint],
    ...["a=setup:active", "a=ssrc:7 cname:bot"],
  ];
  const read = (...more: string[]) => readDeviceAnswer(`${[...lines, ...more].join("\r\n")}\r\n`);
  expect(read().audioSsrc).toBe(7);
  expect(() => read("a=fingerprint:sha-512 AB:AB")).toThrow("not SHA-256");
  expect(() => read("a=candidate:2 1 udp 1 fd00::2 9 typ host")).toThrow("cannot use");
  expect(() => read("a=candidate:2 1 udp 1 192.0.2.2 9 typ srflx raddr 0.0.0.0 rport 0")).toThrow("cannot use");
  expect(() => read(`a=x:${"y".repeat(256)}`)).toThrow("overflows");
  expect(() => read("a=setup:passive")).toThrow("neither side");
});

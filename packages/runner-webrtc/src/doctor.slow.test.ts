import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { DoctorCheck, DoctorContext, DoctorResult } from "@pipecat-ts/runner-core";
import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, onTestFinished, test } from "vitest";
import { doctorChecks } from "./doctor.ts";
import { type WebRTCOptions, webrtcOptions } from "./options.ts";
import { startCoturn } from "./peer/test/coturn.ts";

function checksFor(options: Partial<WebRTCOptions>, host = "localhost"): readonly DoctorCheck[] {
  const settings = { host, trustProxy: false } as DoctorContext["settings"];
  return doctorChecks({ ...resolveOptions(webrtcOptions, { given: {}, env: {} }), ...options }, { settings });
}

/** The results by name. The numbers of ports are replaced. */
async function results(checks: readonly DoctorCheck[]): Promise<Record<string, DoctorResult>> {
  const items = checks.map(async ({ name, run }) => [
    name.replace(/\d{4,}/, "port"),
    await run(new AbortController().signal),
  ]);
  return Object.fromEntries(await Promise.all(items));
}

async function bindUdp(): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  onTestFinished(() => void socket.close());
  await once(socket, "listening");
  return { socket, port: socket.address().port };
}

test("UDP to this machine, a STUN server and a TURN server pass; wrong credentials and a silent server fail", async () => {
  const coturn = await startCoturn();
  const { urls } = coturn("udp");
  const silent = await bindUdp();
  const good = await results(
    checksFor({
      iceServers: [coturn("udp"), { urls: `${urls}`.replace(/turn|\?.*/g, (part) => (part === "turn" ? "stun" : "")) }],
    }),
  );
  expect(good).toMatchObject({
    UDP: { state: "passed" },
    "STUN server 127.0.0.1:port": { state: "passed" },
    "TURN server 127.0.0.1:port over udp": { state: "passed", detail: expect.stringContaining("127.0.0.1:") },
  });
  const iceServers = [coturn("tcp", "wrong"), { urls: `stun:127.0.0.1:${silent.port}` }];
  const bad = await results(checksFor({ iceServers, relayOnly: true }));
  expect(Object.keys(bad), "with --relay-only, no UDP port is used").not.toContain("UDP");
  expect(bad).toMatchObject({
    "STUN server 127.0.0.1:port": { state: "failed", fix: expect.stringContaining("UDP") },
    "TURN server 127.0.0.1:port over tcp": {
      state: "failed",
      reason: expect.stringContaining("credential"),
      fix: expect.stringContaining("URL"),
    },
  });
  expect(JSON.stringify([good, bad])).not.toMatch(/wrong|correct-horse/);
});

test("ports that are all in use fail", async () => {
  const taken = createSocket("udp4").bind(0, "0.0.0.0");
  onTestFinished(() => void taken.close());
  await once(taken, "listening");
  const { port } = taken.address();
  const [udp] = checksFor({ udpPorts: [port, port] });
  await expect(udp?.run(new AbortController().signal)).rejects.toMatchObject({
    code: "UDP_PORTS_EXHAUSTED",
    fix: expect.stringContaining("--udp-ports"),
  });
});

test("a runner that others reach is told that it has no TURN server", async () => {
  expect(checksFor({}).map(({ name }) => name)).toEqual(["UDP"]);
  const [, turn] = checksFor({}, "0.0.0.0");
  expect(await turn?.run(new AbortController().signal)).toMatchObject({
    state: "skipped",
    fix: expect.stringContaining("--ice-servers"),
  });
});

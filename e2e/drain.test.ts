import type { FakeCaller } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { connectCaller as connectByWebRTC } from "../packages/runner-webrtc/src/test/fake-caller.ts";
import { connectCaller as connectByWebSocket } from "../packages/runner-websocket/src/test/fake-caller.ts";
import { expectEndings } from "./endurance/endings.ts";
import { dialers } from "./server/dialers.ts";
import { type Server, type ServerTransport, startServer } from "./server/server-process.ts";
import { talkAndListen } from "./server/talk.ts";

vi.setConfig({ testTimeout: 60_000 });

const calls = 20;
const shutdownTimeoutMs = 8_000;

/** How each transport's caller comes in without asking `/start`, and what tells them, in their own words, that they cannot. */
const walkIns: Readonly<Record<ServerTransport, readonly [walkIn: (server: Server) => Promise<unknown>, RegExp]>> = {
  websocket: [({ port }) => connectByWebSocket(`ws://127.0.0.1:${port}/ws-client`), /^503 .*"DRAINING"/],
  webrtc: [({ port }) => connectByWebRTC(new URL(`http://127.0.0.1:${port}/api/offer`)), /^503 .*"DRAINING"/],
  twilio: [dialers.twilio, /<Reject reason="busy"\/>/],
  telnyx: [dialers.telnyx, /<Reject reason="busy"\/>/],
  plivo: [dialers.plivo, /<Hangup reason="busy"\/>/],
  exotel: [dialers.exotel, /answered 503 .*"DRAINING"/],
};

test.each(Object.entries(walkIns))(
  "SIGTERM with 20 calls up by %s: new ones are refused, none is cut before its deadline, and the server ends",
  async (name, [walkIn, refusal]) => {
    const transport = name as ServerTransport;
    await using server = await startServer({ transport, shutdownTimeoutMs });
    const callers = await Promise.all(Array.from({ length: calls }, () => dialers[transport](server)));
    await Promise.all(callers.map(talkAndListen));
    server.terminate();
    const terminatedMs = performance.now();
    await server.logged(`SIGTERM: waiting for ${calls} calls`);

    expect(await server.start({ transport })).toMatchObject({
      status: 503,
      headers: { "retry-after": expect.stringMatching(/^\d+$/) },
      json: { code: "DRAINING" },
    });
    await expect(walkIn(server)).rejects.toThrow(refusal);

    await Promise.all(callers.map(talkAndListen));
    const [leaving, staying] = [callers.slice(0, calls / 2), callers.slice(calls / 2)];
    await Promise.all(leaving.map((caller) => caller.hangUp()));
    const cutMs = Promise.all(staying.map(closedAt));
    expect(await server.exited).toBe(0);

    for (const atMs of await cutMs) expect(atMs - terminatedMs).toBeGreaterThanOrEqual(shutdownTimeoutMs);
    await expectEndings(server, { "caller-left": calls / 2, shutdown: calls / 2 });
  },
);

async function closedAt(caller: FakeCaller): Promise<number> {
  await caller.closed;
  return performance.now();
}

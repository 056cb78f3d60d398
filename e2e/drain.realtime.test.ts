import type { FakeCaller } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { connectCaller as connectByWebRTC } from "../packages/runner-webrtc/src/caller.ts";
import { connectCaller as connectByWebSocket } from "../packages/runner-websocket/src/caller.ts";
import { type Dial, dialers, expectEcho } from "./server/callers.ts";
import { expectEndings } from "./server/expectations.ts";
import { type ServerTransport, startServer } from "./server/server.ts";

const shutdownTimeoutMs = 8_000;

/** For each transport: a call without `POST /start`, and its rejection in the transport's own terms. */
const rejections: Readonly<Record<ServerTransport, readonly [call: Dial, rejection: RegExp]>> = {
  websocket: [({ port }) => connectByWebSocket(`ws://127.0.0.1:${port}/ws-client`), /rejected the call with 503/],
  webrtc: [({ port }) => connectByWebRTC(new URL(`http://127.0.0.1:${port}/api/offer`)), /rejected the call with 503/],
  twilio: [dialers.twilio, /<Reject reason="busy"\/>/],
  telnyx: [dialers.telnyx, /<Reject reason="busy"\/>/],
  plivo: [dialers.plivo, /<Hangup reason="busy"\/>/],
  exotel: [dialers.exotel, /rejected the call with 503/],
  vonage: [dialers.vonage, /rejected the call with 503/],
};
/** Few, because this tests what SIGTERM does, not load. */
const callsOfEachTransport = 8;
/** WebRTC calls need more of the processor, so they have a server of their own. */
const groups: readonly (readonly [names: string, transports: readonly ServerTransport[]])[] = [
  ["WebSocket and the phone carriers", ["websocket", "twilio", "telnyx", "plivo", "exotel", "vonage"]],
  ["WebRTC", ["webrtc"]],
];

test.each(groups)(
  "SIGTERM during calls over %s: the server rejects new calls, cuts none before the deadline, and exits",
  async (_, transports) => {
    await using server = await startServer({ transports, shutdownTimeoutMs });
    const callers: FakeCaller[] = [];
    for (const transport of transports) {
      callers.push(
        ...(await Promise.all(Array.from({ length: callsOfEachTransport }, () => dialers[transport](server)))),
      );
    }
    await Promise.all(callers.map(expectEcho));
    server.terminate();
    const terminatedMs = performance.now();
    await server.logged("waiting for calls to end");

    for (const transport of transports) {
      expect(await server.start({ transport })).toMatchObject({
        status: 503,
        headers: { "retry-after": expect.stringMatching(/^\d+$/) },
        json: { code: "DRAINING" },
      });
      const [call, rejection] = rejections[transport];
      await expect(call(server)).rejects.toThrow(rejection);
    }

    await Promise.all(callers.map(expectEcho));
    const leaving = callers.filter((_, index) => index % 2 === 0);
    const staying = callers.filter((_, index) => index % 2 === 1);
    await Promise.all(leaving.map((caller) => caller.hangUp()));
    const cutAtMs = Promise.all(staying.map(closedAt));
    expect(await server.exited).toBe(0);

    for (const atMs of await cutAtMs) expect(atMs - terminatedMs).toBeGreaterThanOrEqual(shutdownTimeoutMs);
    await expectEndings(server, { "caller-left": leaving.length, shutdown: staying.length });
  },
);

async function closedAt(caller: FakeCaller): Promise<number> {
  await caller.closed;
  return performance.now();
}

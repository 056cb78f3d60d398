import { setTimeout as sleep } from "node:timers/promises";
import type { FakeCarrier } from "@pipecat-ts/runner-telephony/caller";
import { createFakeExotel } from "@pipecat-ts/runner-telephony-exotel/caller";
import { createFakePlivo } from "@pipecat-ts/runner-telephony-plivo/caller";
import { createFakeTelnyx, createTelnyxAccount } from "@pipecat-ts/runner-telephony-telnyx/caller";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import { createFakeVonage } from "@pipecat-ts/runner-telephony-vonage/caller";
import { excerpt, type FakeCaller, join, measurePitch, tone } from "@pipecat-ts/runner-testing";
import { expect } from "vitest";
import { toneMs } from "../../packages/runner-testing/src/speech.ts";
import type { Server, ServerTransport } from "./server.ts";

/** Where fake callers can call. */
export type Callable = Pick<Server, "port" | "call" | "callByWebRTC">;

/** Calls a server over one transport, with the body of the session. Rejects when the server rejects the call. */
export type Dial = (server: Callable, body?: object) => Promise<FakeCaller>;

/** The account of the phone calls over Twilio. */
export const twilioAccount = { accountSid: "AC0123", authToken: "Twilio's token" } as const;

/** How to call over each transport. Phone calls are signed for the server's own URL. */
export const dialers: Readonly<Record<ServerTransport, Dial>> = {
  websocket: (server, body = {}) => server.call({ body }),
  webrtc: (server, body = {}) => server.callByWebRTC({ body }),
  twilio: byPhone("twilio", createFakeTwilio(twilioAccount)),
  telnyx: byPhone("telnyx", createFakeTelnyx(createTelnyxAccount("Telnyx's key"))),
  plivo: byPhone("plivo", createFakePlivo({ authId: "MA0123", authToken: "Plivo's token" })),
  exotel: byPhone(
    "exotel",
    createFakeExotel({ apiKey: "Exotel's key", apiToken: "Exotel's token" }, { dynamic: true }),
  ),
  vonage: byPhone(
    "vonage",
    createFakeVonage({ applicationId: "0123", privateKey: undefined, signatureSecret: "Vonage's secret" }),
  ),
};

function byPhone(name: string, carrier: FakeCarrier): Dial {
  return ({ port }, body = {}) => {
    const encoded = Buffer.from(JSON.stringify(body)).toString("base64url");
    return carrier.call({ at: new URL(`http://127.0.0.1:${port}`), path: `/${name}?body=${encoded}` });
  };
}

/** The pitch of every caller's voice in Hz. 20 ms hold whole periods, so that a lost frame does not change the pitch. */
const voiceHz = 300;
const frameMs = 20;
const timeoutMs = 10_000;
/** Rarely enough for a hundred callers in this process. */
const checkEveryMs = 50;

/** The caller speaks in real time. Returns a function that stops it. */
export function speak(caller: FakeCaller): () => void {
  const frame = excerpt(
    tone(voiceHz, { durationMs: 3 * frameMs, sampleRate: caller.sampleRate }),
    frameMs,
    2 * frameMs,
  );
  const startMs = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (const due = (performance.now() - startMs) / frameMs; sent < due; sent++) caller.sendAudio(frame);
  }, frameMs / 2);
  return () => clearInterval(timer);
}

/** The caller speaks until the caller's own voice comes back. Fails unless it comes, at its pitch. */
export async function expectEcho(caller: FakeCaller): Promise<void> {
  const stop = speak(caller);
  await expectVoice(caller, 200).finally(stop);
}

/**
 * Waits until more than half of the last `lastMs` that the caller heard is the caller's own voice, at its pitch. Retries,
 * because a packet that is late on a busy machine leaves a seam without a pitch.
 */
async function expectVoice(caller: FakeCaller, lastMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const share = shareOfVoice(caller, performance.now() - lastMs);
    const played = caller.playout.played().slice(-Math.ceil(lastMs / 40));
    const pitch = share > 0.5 ? (measurePitch(join(played.map(({ frame }) => frame))) ?? 0) : 0;
    if (Math.abs(pitch / voiceHz - 1) < 0.01) return;
    if (performance.now() > deadline) {
      expect.fail(
        `The caller heard the echo for ${share} of the last ${lastMs} ms, at ${pitch} Hz instead of ${voiceHz} Hz.`,
      );
    }
    await sleep(checkEveryMs);
  }
}

/** The share of the time since `fromMs`, on the scale of `performance.now()`, in which the caller heard the echo: 0 to 1. */
function shareOfVoice(caller: FakeCaller, fromMs: number): number {
  const played = caller.playout.played().filter(({ atMs }) => atMs >= fromMs);
  return toneMs(played, voiceHz) / (performance.now() - fromMs);
}

/** A caller who speaks all the time. Other callers must not disturb it. */
export interface Bystander {
  /**
   * Fails unless the caller has heard the echo for a quarter of the time since the last check, and hears it now. A quarter,
   * because this process has other work, and the server's garbage collections are part of the measurement.
   */
  expectEcho(): Promise<void>;
  hangUp(): Promise<void>;
}

const nowMs = 400;

/** Starts to speak. Resolves when the echo arrives. */
export async function startBystander(caller: FakeCaller): Promise<Bystander> {
  const stop = speak(caller);
  await expectVoice(caller, nowMs);
  let checkedMs = performance.now();

  return {
    async expectEcho() {
      await expectVoice(caller, nowMs);
      const share = shareOfVoice(caller, Math.min(checkedMs, performance.now() - nowMs));
      checkedMs = performance.now();
      expect(share, "share of the time with echo").toBeGreaterThan(0.25);
    },
    async hangUp() {
      stop();
      await caller.hangUp();
    },
  };
}

import type { FakeCarrier, PhoneCall } from "@pipecat-ts/runner-telephony/caller";
import { createFakeExotel } from "@pipecat-ts/runner-telephony-exotel/caller";
import exotel from "@pipecat-ts/runner-telephony-exotel/plugin";
import { createFakePlivo } from "@pipecat-ts/runner-telephony-plivo/caller";
import plivo from "@pipecat-ts/runner-telephony-plivo/plugin";
import { createFakeTelnyx, createTelnyxAccount } from "@pipecat-ts/runner-telephony-telnyx/caller";
import telnyx from "@pipecat-ts/runner-telephony-telnyx/plugin";
import { createFakeTwilio } from "@pipecat-ts/runner-telephony-twilio/caller";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { createFakeVonage, createVonageAccount } from "@pipecat-ts/runner-telephony-vonage/caller";
import vonage from "@pipecat-ts/runner-telephony-vonage/plugin";
import {
  countSettledResources,
  excerpt,
  findVoice,
  join,
  measureLevel,
  measurePitch,
  measureTone,
  send,
  settleResources,
  tone,
  until,
} from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import { startRunner } from "./runner.ts";
import { bot } from "./server/bot.ts";
import { startCommand } from "./server/command.ts";

const publicUrl = new URL("https://voice.example.com");
const accounts = {
  twilio: { accountSid: "AC0123", authToken: "Twilio's token" },
  telnyx: createTelnyxAccount("Telnyx's key"),
  plivo: { authId: "MA0123", authToken: "Plivo's token" },
  exotel: { apiKey: "Exotel's key", apiToken: "Exotel's token" },
  vonage: createVonageAccount("Vonage's secret"),
};
const carriers: readonly (readonly [name: string, carrier: FakeCarrier, hz: number])[] = [
  ["twilio", createFakeTwilio(accounts.twilio), 400],
  ["telnyx", createFakeTelnyx(accounts.telnyx, "PCMA"), 550],
  ["plivo", createFakePlivo(accounts.plivo, "GET"), 700],
  ["exotel", createFakeExotel(accounts.exotel, { dynamic: true }), 900],
  ["vonage", createFakeVonage(accounts.vonage), 1_150],
];

/** Sends a tone, waits for its echo, and returns the echo without its edges. */
async function hearEcho(phone: PhoneCall, hz: number) {
  await phone.speak(tone(hz, { durationMs: 800, levelDb: -15 }));
  const played = () => join(phone.playout.played().map(({ frame }) => frame));
  const voice = () => findVoice(played()) ?? { fromMs: 0, toMs: 0 };
  await until(`the echo of ${hz} Hz`, () => voice().toMs - voice().fromMs >= 720, 10_000);
  return excerpt(played(), voice().fromMs + 40, voice().toMs - 40);
}

test("calls from five carriers to one server at the same time do not mix", async () => {
  const before = await countSettledResources();
  const apis = new Map(
    await Promise.all(carriers.map(async ([name, carrier]) => [name, await carrier.openApi()] as const)),
  );
  const apiUrl = (name: string) => ({ apiUrl: apis.get(name)?.url });
  const { runner, logger } = await startRunner("websocket", bot, {
    publicUrl,
    plugins: [twilio, telnyx, plivo, exotel, vonage],
    pluginOptions: {
      twilio: { ...accounts.twilio, ...apiUrl("twilio") },
      telnyx: { apiKey: accounts.telnyx.apiKey, publicKey: accounts.telnyx.publicKey, ...apiUrl("telnyx") },
      plivo: { ...accounts.plivo, verifySockets: true, ...apiUrl("plivo") },
      exotel: accounts.exotel,
      vonage: { ...accounts.vonage, ...apiUrl("vonage") },
    },
  });
  const status = await fetch(new URL("/status", runner.url), { headers: { connection: "close" } });
  expect(await status.json()).toMatchObject({ transports: ["twilio", "telnyx", "plivo", "exotel", "vonage"] });
  expect(runner.transports.map(({ availability }) => availability.state)).toEqual(Array(5).fill("ready"));

  const calls = await Promise.all(
    carriers.map(async ([name, carrier, hz]) => ({
      name,
      hz,
      phone: await carrier.call({ at: runner.url, publicUrl }),
    })),
  );
  await until("all calls are active", () => runner.sessions.counts.active === 5, 10_000);
  const echoes = await Promise.all(calls.map(async ({ phone, hz }) => ({ hz, audio: await hearEcho(phone, hz) })));
  for (const { hz, audio } of echoes) {
    expect(measurePitch(audio) ?? 0).toBeCloseTo(hz, -1);
    expect(Math.abs(measureLevel(audio) + 15)).toBeLessThanOrEqual(1.5);
    for (const other of echoes) if (other.hz !== hz) expect(measureTone(audio, other.hz)).toBeLessThan(-45);
  }

  for (const { phone } of calls) phone.press("0");
  await Promise.all(calls.map(({ phone }) => phone.closed));
  await until("all sessions have ended", () => runner.sessions.counts.active === 0, 10_000);
  for (const { name, phone } of calls) {
    expect(phone.protocolErrors).toEqual([]);
    expect(apis.get(name)?.requests.length).toBe(name === "exotel" ? 0 : 1);
  }
  expect(logger.lines.filter(({ message }) => message.startsWith("session ended"))).toHaveLength(5);
  expect(logger.lines.filter(({ level }) => level === "error" || level === "warn")).toEqual([]);
  await runner.close();
  for (const api of apis.values()) await api.close();
  expect(await settleResources(before, 5_000)).toEqual([]);
});

test("with an API key and without a carrier's secret, its webhook rejects everyone", async () => {
  const plugins = [twilio, telnyx, plivo, exotel, vonage];
  const { runner } = await startRunner("websocket", bot, { publicUrl, plugins, apiKey: "a-key-of-sixteen-letters" });
  const secrets = {
    twilio: "TWILIO_AUTH_TOKEN",
    telnyx: "TELNYX_PUBLIC_KEY",
    plivo: "PLIVO_AUTH_TOKEN",
    exotel: "EXOTEL_API_TOKEN",
    vonage: "VONAGE_SIGNATURE_SECRET",
  };
  for (const [name, variable] of Object.entries(secrets)) {
    const url = new URL(`/${name}?CallSid=C1&CallUUID=C1`, runner.url);
    for (const method of ["GET", "POST"]) {
      const { status, json } = await send(url, { method });
      expect([name, status, json]).toEqual([
        name,
        403,
        { code: "SIGNATURE_INVALID", detail: expect.stringMatching(`${variable}.*--no-verify-signatures`) },
      ]);
    }
  }
  expect(runner.sessions.counts).toEqual({ pending: 0, active: 0 });
  expect(runner.unauthenticatedRoutes).toEqual([]);
});

test("pipecat-runner bot.ts -t twilio -x my.ngrok.io takes a call", async () => {
  const args = ["e2e/server/bot.ts", "-t", "twilio", "-x", "my.ngrok.io", "--port", "0", "--no-verify-signatures"];
  const runner = await startCommand(["packages/runner-cli/src/main.ts", ...args]);
  onTestFinished(() => void runner.interrupt());
  await until(
    "the banner names the missing credentials",
    () => runner.printed().includes("the runner cannot hang up"),
    5_000,
  );
  expect(runner.printed()).toContain("Anyone can pretend to be Twilio.");
  const tunnel = new URL("https://my.ngrok.io");
  const carrier = createFakeTwilio(accounts.twilio);
  const phone = await carrier.call({ at: new URL(runner.origin), publicUrl: tunnel, path: "/" });
  const echo = await hearEcho(phone, 500);
  expect(measurePitch(echo) ?? 0).toBeCloseTo(500, -1);
  await phone.hangUp();
  expect(await runner.interrupt()).toBe(0);
});

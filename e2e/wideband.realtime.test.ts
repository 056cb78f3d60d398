import { type AudioFrame, durationMs, excerpt, join, measureLevel, measureTone, tone } from "@pipecat-ts/audio";
import { createTransport, type RunnerArguments, type TransportPlugin } from "@pipecat-ts/runner-core";
import type { FakeCarrier } from "@pipecat-ts/runner-telephony/caller";
import { createFakeExotel } from "@pipecat-ts/runner-telephony-exotel/caller";
import exotel from "@pipecat-ts/runner-telephony-exotel/plugin";
import { createFakePlivo } from "@pipecat-ts/runner-telephony-plivo/caller";
import plivo from "@pipecat-ts/runner-telephony-plivo/plugin";
import { createFakeTelnyx, createTelnyxAccount } from "@pipecat-ts/runner-telephony-telnyx/caller";
import telnyx from "@pipecat-ts/runner-telephony-telnyx/plugin";
import { createFakeVonage } from "@pipecat-ts/runner-telephony-vonage/caller";
import vonage from "@pipecat-ts/runner-telephony-vonage/plugin";
import { until } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { startRunner } from "./runner.ts";

// A tone of 6,000 Hz, which a call at 8,000 Hz cannot carry, in both directions of calls at 16,000 and 24,000 Hz.

const hz = 6_000;
const levelDb = -15;
const speechMs = 800;
const telnyxAccount = createTelnyxAccount("a key");
const plivoAccount = { authId: "MA0123", authToken: undefined };
const vonageAccount = { applicationId: "0123", privateKey: undefined, signatureSecret: undefined };

interface Line {
  readonly plugin: TransportPlugin;
  readonly options: Readonly<Record<string, unknown>>;
  readonly carrier: FakeCarrier;
  readonly sampleRate: number;
}

const lines: Readonly<Record<string, Line>> = {
  "Telnyx with --telnyx-codec L16": {
    plugin: telnyx as TransportPlugin,
    options: { codec: "L16" },
    carrier: createFakeTelnyx(telnyxAccount, "L16"),
    sampleRate: 16_000,
  },
  "Telnyx with --telnyx-codec OPUS": {
    plugin: telnyx as TransportPlugin,
    options: { codec: "OPUS" },
    carrier: createFakeTelnyx(telnyxAccount, "OPUS"),
    sampleRate: 16_000,
  },
  "Plivo with --plivo-content-type": {
    plugin: plivo as TransportPlugin,
    options: { contentType: "audio/x-l16;rate=16000" },
    carrier: createFakePlivo(plivoAccount),
    sampleRate: 16_000,
  },
  ...linesAt(16_000),
  ...linesAt(24_000),
};

function linesAt(sampleRate: 16_000 | 24_000): Readonly<Record<string, Line>> {
  return {
    [`Exotel with --exotel-sample-rate ${sampleRate}`]: {
      plugin: exotel as TransportPlugin,
      options: { sampleRate },
      carrier: createFakeExotel(undefined, { dynamic: true }),
      sampleRate,
    },
    [`Vonage with --vonage-sample-rate ${sampleRate}`]: {
      plugin: vonage as TransportPlugin,
      options: { sampleRate },
      carrier: createFakeVonage(vonageAccount),
      sampleRate,
    },
  };
}

/** The loudest part of `audio` that lasts 400 ms. */
function loudest(audio: AudioFrame): AudioFrame {
  const partMs = 400;
  const parts = Array.from({ length: Math.max(0, Math.floor((durationMs(audio) - partMs) / 20)) + 1 }, (_, index) =>
    excerpt(audio, index * 20, index * 20 + partMs),
  );
  return parts.reduce((best, part) => (measureLevel(part) > measureLevel(best) ? part : best));
}

function expectTone(listener: string, audio: AudioFrame): void {
  const part = loudest(audio);
  expect(Math.abs(measureLevel(part) - levelDb), `level for ${listener}`).toBeLessThanOrEqual(1);
  expect(Math.abs(measureTone(part, hz) - levelDb), `level of ${hz} Hz for ${listener}`).toBeLessThanOrEqual(1);
}

test.each(Object.entries(lines))("%s carries 6,000 Hz in both directions", async (_, line) => {
  const { plugin, options, carrier, sampleRate } = line;
  const heard: AudioFrame[] = [];
  const signal = () => tone(hz, { durationMs: speechMs, sampleRate, levelDb });
  async function bot(args: RunnerArguments): Promise<void> {
    const params = () => ({ audioInSampleRate: sampleRate });
    const transport = await createTransport(args, { telnyx: params, plivo: params, exotel: params, vonage: params });
    transport.play(ReadableStream.from([signal()]));
    for await (const frame of transport.input) heard.push(frame);
  }
  const { runner } = await startRunner("websocket", bot, {
    plugins: [plugin],
    pluginOptions: { [plugin.name]: options },
  });
  const phone = await carrier.call({ at: runner.url });
  await phone.speak(signal());
  const said = () => join(phone.playout.played().map(({ frame }) => frame));
  await until(
    "both sides have heard the other",
    () => durationMs(join(heard)) >= 700 && durationMs(said()) >= 700,
    10_000,
  );
  expectTone("the bot", join(heard));
  expectTone("the caller", said());
  expect(phone.protocolErrors).toEqual([]);
  await phone.hangUp();
});

import type { AudioFrame } from "@pipecat-ts/audio";
import type { Snapshot } from "@pipecat-ts/runner-core";
import { join, measurePitch, until } from "@pipecat-ts/runner-testing";
import { createRTVI, createTransport, type RunnerArguments } from "pipecat-runner";
import { describe, expect, onTestFinished, test } from "vitest";
import { startRunner } from "../runner.ts";
import { firefoxProgram, startFirefox } from "./firefox.ts";
import { silenceDb, talkativeBot } from "./fixture.ts";
import { openPublishedClient, usePublishedClient } from "./published-client.ts";

const callerHz = 220;
const addPublishedClient = usePublishedClient();

/** The audio that the page has received: its energy and duration in s (https://www.w3.org/TR/webrtc-stats/). */
const receivedAudio = `client.transport.pc.getStats().then((stats) => {
  const { totalAudioEnergy, totalSamplesDuration } = [...stats.values()].find(
    ({ type, kind }) => type === "inbound-rtp" && kind === "audio",
  );
  return [totalAudioEnergy, totalSamplesDuration];
})`;

async function call(bot: (args: RunnerArguments) => Promise<void>) {
  const firefox = await startFirefox(callerHz);
  onTestFinished(() => firefox[Symbol.asyncDispose]());
  const { runner, origin } = await startRunner("webrtc", bot, {}, addPublishedClient);
  onTestFinished(() => runner.close());
  const client = await openPublishedClient(firefox, origin, "webrtc", "default");
  expect(await client.connectToBot()).toMatchObject({ version: expect.stringMatching(/^2\./) });
  await client.expectReady();

  /** The level of half a second of what the page receives, in dBFS. */
  async function level(): Promise<number> {
    const [energy = 0, duration = 0] = await firefox.page.evaluate<number[]>(receivedAudio);
    await firefox.page.evaluate("new Promise((resolve) => setTimeout(resolve, 500))");
    const [energyNow = 0, durationNow = 0] = await firefox.page.evaluate<number[]>(receivedAudio);
    return 10 * Math.log10((energyNow - energy) / (durationNow - duration));
  }
  const expectVoice = () => expect.poll(level, { timeout: 10_000 }).toBeGreaterThan(-30);
  const expectSilence = () => expect.poll(level, { timeout: 10_000 }).toBeLessThan(silenceDb);
  return { runner, client, expectVoice, expectSilence };
}

describe.skipIf(firefoxProgram === undefined)("Pipecat's JavaScript client in Firefox", () => {
  test("hears its own voice, exchanges texts, sends a picture, mutes the microphone, and hangs up", async () => {
    const heard: AudioFrame[] = [];
    const pictures: (Snapshot | undefined)[] = [];
    const { runner, client, expectVoice, expectSilence } = await call(async (args) => {
      if (args.transport !== "webrtc") return;
      const transport = await createTransport(args, { webrtc: () => ({ videoInEnabled: true }) });
      const rtvi = createRTVI(transport);
      rtvi.on("sendText", ({ content }) => rtvi.botOutput(`You wrote: ${content}`));
      transport.on("trackStatus", async (track, enabled) => {
        if (track === "camera" && enabled)
          pictures.push(await transport.video?.snapshot({ source: "camera", timeoutMs: 10_000 }));
      });
      const writer = transport.output.getWriter();
      for await (const frame of transport.input) {
        heard.push(frame);
        await writer.write(frame);
      }
    });
    await expectVoice();
    expect(measurePitch(join(heard.slice(-50)))).toBeCloseTo(callerHz, -1);
    await client.exchange("Good morning");
    await client.enableCam(true);
    await until("the bot has a picture", () => pictures.length > 0, 15_000);
    const { type, width, height } = pictures[0] ?? expect.fail("no video");
    expect(type).toBe("image/webp");
    // Browsers start with smaller pictures.
    expect([width / height, 640 % width]).toEqual([640 / 480, 0]);
    await client.enableMic(false);
    await expectSilence();
    await client.enableMic(true);
    await expectVoice();
    await client.disconnect();
    await until("the session has ended", () => runner.sessions.counts.active === 0, 5_000);
  });

  test("interrupts the bot", async () => {
    const { client, expectVoice, expectSilence } = await call(talkativeBot);
    await expectVoice();
    await client.sendClientMessage("interrupt");
    await expectSilence();
  });
});

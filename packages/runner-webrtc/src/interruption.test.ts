import type { AudioFrame } from "@pipecat-ts/audio";
import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, findVoice, join, tone, until, within } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import plugin from "./plugin.ts";
import { connectCaller } from "./test/fake-caller.ts";

/** The last packet with the bot's voice is to leave 25 ms after an interruption; three times that, in packets of 20 ms. */
const latePackets = 4;

test("an interruption silences the bot at once, at the caller's ear too, and what it says next is heard whole", async () => {
  let heardFrames: number | undefined;
  const runner = createRunner({
    async bot(args) {
      const transport = await createTransport(args, { webrtc: () => ({}) });
      transport.on("appMessage", () => {
        transport.interrupt();
        heardFrames = caller.playout.enqueuedMs / 20;
        setTimeout(() => transport.play(spoken(880, 400)), 300);
      });
      await transport.play(spoken(440, 60_000)).done;
      await transport.closed;
    },
    plugins: [plugin],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  });
  onTestFinished(() => runner.close());
  await runner.listen();
  const caller = await connectCaller(new URL("/api/offer", runner.url));
  onTestFinished(() => caller.drop());
  const frames = () => caller.playout.played().map(({ frame }) => frame);
  const framesAfter = () => frames().slice(heardFrames);

  await until("the bot is heard", () => voiceMs(frames()) > 300, 5_000);
  caller.sendMessage("stop");
  await until("the bot is interrupted", () => heardFrames !== undefined, 5_000);
  await until("the answer was heard", () => voiceMs(framesAfter().slice(latePackets)) > 360, 5_000);

  expect(framesAfter().findIndex(isSilent)).toBeLessThanOrEqual(latePackets);
  expect(voiceMs(framesAfter().slice(latePackets))).toBeLessThan(450);
  await within("the caller hangs up", caller.hangUp(), 5_000);
});

function isSilent({ samples }: AudioFrame): boolean {
  return samples.every((sample) => Math.abs(sample) < 100);
}

function voiceMs(frames: readonly AudioFrame[]): number {
  const voice = findVoice(join(frames));
  return voice ? voice.toMs - voice.fromMs : 0;
}

async function* spoken(hz: number, durationMs: number) {
  yield tone(hz, { durationMs, sampleRate: 24_000 });
}

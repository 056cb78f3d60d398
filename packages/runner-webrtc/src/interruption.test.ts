import type { AudioFrame } from "@pipecat-ts/audio";
import { createTransport } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, findVoice, join, tone, until, within } from "@pipecat-ts/runner-testing";
import { expect, onTestFinished, test } from "vitest";
import plugin from "./plugin.ts";
import { connectCaller } from "./test/fake-caller.ts";

/** The last packet with the bot's voice is to leave 25 ms after an interruption; three times that, for machines with other work. */
const silentWithinMs = 75;

test("an interruption silences the bot at once, at the caller's ear too, and what it says next is heard whole", async () => {
  let interruptedAt = 0;
  const runner = createRunner({
    async bot(args) {
      const transport = await createTransport(args, { webrtc: () => ({}) });
      transport.on("appMessage", () => {
        interruptedAt = performance.now();
        transport.interrupt();
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
  const heardSince = (ms: number) => join(heard().flatMap(({ atMs, frame }) => (atMs >= ms ? [frame] : [])));
  const heard = () => caller.speaker.heard();

  await until("the bot is heard", () => findVoice(join(heard().map(({ frame }) => frame))) !== undefined, 5_000);
  await new Promise((resolve) => setTimeout(resolve, 300));
  caller.sendMessage("stop");
  await until("the bot is interrupted", () => interruptedAt > 0, 5_000);
  await until("the answer was heard", () => voiceMs(heardSince(interruptedAt + 250)) > 360, 5_000);

  const silence = heard().find(({ atMs, frame }) => atMs > interruptedAt && frame.samples.every(isQuiet));
  expect((silence?.atMs ?? Number.POSITIVE_INFINITY) - interruptedAt).toBeLessThan(silentWithinMs);
  expect(voiceMs(heardSince(interruptedAt + silentWithinMs))).toBeLessThan(450);
  await within("the caller hangs up", caller.hangUp(), 5_000);
});

function isQuiet(sample: number): boolean {
  return Math.abs(sample) < 100;
}

function voiceMs(audio: AudioFrame): number {
  const voice = findVoice(audio);
  return voice ? voice.toMs - voice.fromMs : 0;
}

async function* spoken(hz: number, durationMs: number) {
  yield tone(hz, { durationMs, sampleRate: 24_000 });
}

import { cut, silence, syllables } from "@pipecat-ts/runner-testing";
import { expect, test, vi } from "vitest";
import { createVoiceDetector, startVoiceWorker, type VoiceDetector } from "./voice-detector.ts";

vi.setConfig({ testTimeout: 60_000 });

test("finds speech, and not silence or noise, separately for each call", async () => {
  const [first, second] = [await createVoiceDetector(), await createVoiceDetector()];
  const noise = silence({ durationMs: 1_000 }).samples.map(() => Math.round((Math.random() - 0.5) * 6_000));
  const [heardInFirst, heardInSecond] = await Promise.all([
    changes(first, syllables(200, { durationMs: 1_000 }).samples, silence({ durationMs: 1_000 }).samples),
    changes(second, noise, silence({ durationMs: 1_000 }).samples),
  ]);
  expect(heardInFirst).toEqual(["started", "stopped"]);
  expect(heardInSecond).toEqual([]);
  first.close();
  second.close();
});

test("when the thread ends, its calls learn it, and the next call gets another one", async () => {
  const detector = await createVoiceDetector();
  const pushed = detector.push(new Int16Array(512 * 1_000));
  await (await startVoiceWorker()).terminate();
  await expect(pushed).rejects.toThrow("The thread of the voice detector has ended.");
  await expect(detector.push(new Int16Array(512))).rejects.toThrow("The thread of the voice detector has ended.");
  const next = await createVoiceDetector();
  expect(await changes(next, syllables(200, { durationMs: 500 }).samples)).toEqual(["started"]);
});

test("a detector that is closed settles its pending push", async () => {
  const detector = await createVoiceDetector();
  const pushed = detector.push(syllables(200, { durationMs: 1_000 }).samples);
  detector.close();
  expect(await pushed).toBeUndefined();
});

async function changes(detector: VoiceDetector, ...parts: readonly Int16Array[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const samples of parts) {
    for (const frame of cut({ samples, sampleRate: 16_000, channels: 1 })) {
      const change = await detector.push(frame.samples);
      if (change) found.push(change);
    }
  }
  return found;
}

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { durationMs, encodeWav, measureLevel, measurePitch, tone } from "@pipecat-ts/audio";
import { expect, onTestFinished, test, vi } from "vitest";
import { loadCallerAudio, resampledOnce } from "./caller-audio.ts";

function write(bytes: Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-call-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "in.wav");
  writeFileSync(file, bytes);
  return file;
}

/** The file with 24 bits for each sample. */
function with24Bits(wav: Uint8Array): Uint8Array {
  const samples = Buffer.from(wav.subarray(44));
  const wide = Buffer.alloc((samples.length / 2) * 3);
  for (let index = 0; index < samples.length / 2; index++) samples.copy(wide, index * 3 + 1, index * 2, index * 2 + 2);
  const head = Buffer.from(wav.subarray(0, 44));
  head.writeUInt16LE(24, 34);
  head.writeUInt32LE(wide.length, 40);
  return Buffer.concat([head, wide]);
}

const stereo = (() => {
  const { samples, sampleRate } = tone(440, { durationMs: 500, sampleRate: 44_100 });
  return {
    samples: Int16Array.from({ length: samples.length * 2 }, (_, n) => samples[n >> 1] ?? 0),
    sampleRate,
    channels: 2,
  };
})();

test("a stereo file with 24 bits and another rate becomes mono audio at the caller's rate", async () => {
  const audio = resampledOnce(await loadCallerAudio({ wav: write(with24Bits(encodeWav(stereo))) }))(8_000);
  expect([audio.sampleRate, audio.channels]).toEqual([8_000, 1]);
  expect(durationMs(audio)).toBeCloseTo(500, 0);
  expect(measurePitch(audio)).toBeCloseTo(440, -1);
  expect(measureLevel(audio)).toBeCloseTo(-15, 0);
});

test("without a file the caller says two seconds that are audible at every rate", async () => {
  const audioAt = resampledOnce(await loadCallerAudio({}));
  for (const sampleRate of [8_000, 16_000, 48_000]) {
    const resampled = audioAt(sampleRate);
    expect(audioAt(sampleRate)).toBe(resampled);
    expect(durationMs(resampled)).toBeCloseTo(2_000, 0);
    expect(measureLevel(resampled)).toBeGreaterThan(-20);
  }
});

test.each([
  ["0 bytes", new Uint8Array(0), /^--wav: .*in\.wav cannot be used\. It has 0 bytes\./],
  ["text", Buffer.from("this is not audio"), /Not a WAV file/],
  ["an unusable rate", encodeWav({ ...stereo, sampleRate: 100 }), /Its sample rate is 100 Hz\./],
  ["no samples", encodeWav({ ...stereo, samples: new Int16Array(0) }), /has no samples/],
])("a file with %s is rejected", async (_, bytes, message) => {
  await expect(loadCallerAudio({ wav: write(bytes) })).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringMatching(message),
    fix: expect.stringContaining("WAV"),
  });
});

test("--say names the fix: install espeak-ng if it is missing, and another text if it failed", async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv("PATH", "/nowhere");
  await expect(loadCallerAudio({ say: "hello" })).rejects.toMatchObject({
    message: "--say: espeak-ng is not installed.",
    fix: expect.stringMatching(/^Install it/),
  });
  const folder = dirname(write(new Uint8Array(0)));
  const program = join(folder, "espeak-ng");
  writeFileSync(program, "#!/bin/sh\nexit 1\n");
  chmodSync(program, 0o755);
  vi.stubEnv("PATH", folder);
  await expect(loadCallerAudio({ say: "hello" })).rejects.toMatchObject({
    message: expect.stringMatching(/^--say: espeak-ng failed: Command failed/),
    fix: "Check the text, or use --wav.",
  });
});

test("a file that does not exist is rejected, and a text beside a file", async () => {
  await expect(loadCallerAudio({ wav: "/nowhere/in.wav" })).rejects.toMatchObject({
    message: expect.stringMatching(/^--wav: cannot read \/nowhere\/in\.wav: ENOENT/),
  });
  await expect(loadCallerAudio({ wav: "in.wav", say: "hello" })).rejects.toMatchObject({
    message: "--wav and --say cannot be combined.",
  });
});

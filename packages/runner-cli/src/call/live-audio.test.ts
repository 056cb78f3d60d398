import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { openLiveAudio } from "./live-audio.ts";

/** Programs with these names, as shell scripts, and no others. */
function install(programs: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "pipecat-mic-"));
  vi.stubEnv("PATH", folder);
  onTestFinished(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

test("without sox, ffmpeg records, also when a sample arrives in two parts; close ends it", async () => {
  const later = 'while [ ! -e "$PATH/go" ]; do /bin/sleep 0.02; done';
  const folder = install({
    ffmpeg: `printf '\\001\\000'; ${later}; printf '\\002'; /bin/sleep 0.05; printf '\\000\\003\\000'; exec /bin/sleep 60`,
  });
  const live = await openLiveAudio("linux");
  const heard: number[] = [];
  live.listen((samples) => heard.push(...samples));
  writeFileSync(join(folder, "go"), "");
  await expect.poll(() => heard).toEqual([2, 3]);
  await live.close();
  expect(live.sampleRate).toBe(48_000);
});

test("close ends a program that ignores SIGTERM", async () => {
  install({ sox: "trap '' TERM; printf '\\001\\000'; while true; do /bin/sleep 0.02; done" });
  const live = await openLiveAudio("linux");
  await live.close();
});

test("a program that records nothing is rejected with its last line", async () => {
  install({ sox: "echo 'sox WARN' >&2; echo 'no default audio device' >&2; exit 2" });
  await expect(openLiveAudio("linux")).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: "--mic: sox failed: no default audio device.",
  });
});

test("without a program, the error says what to install", async () => {
  install({});
  await expect(openLiveAudio("darwin")).rejects.toMatchObject({
    message: "--mic: neither sox nor ffmpeg is installed.",
    fix: expect.stringContaining("Install sox"),
  });
});

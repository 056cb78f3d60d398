import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { encodeWav, parseWav } from "@pipecat-ts/audio";
import { createRecordingLogger, measurePitch, tone } from "@pipecat-ts/runner-testing";
import plugin from "@pipecat-ts/runner-websocket/plugin";
import { createRunner } from "pipecat-runner";
import { expect, test } from "vitest";
import { bot } from "./bot.ts";

/** An image of 3 x 2 pixels. */
const png = "iVBORw0KGgoAAAANSUhEUgAAAAMAAAACCAIAAAASFvFNAAAAFUlEQVR4nGM8IafBwMDAwMDAxAADABPYARJY7Kp/AAAAAElFTkSuQmCC";

/** A Python that has the eval harness: `pnpm test:python` sets it. */
const python = process.env.PIPECAT_PYTHON;

test.skipIf(python === undefined)(
  "Pipecat's eval harness passes its scenarios with a bot of this runner (pnpm test:python)",
  async () => {
    const logger = createRecordingLogger();
    const runner = createRunner({ bot, plugins: [plugin], host: "127.0.0.1", port: 0, env: {}, logger });
    await runner.listen();
    const folder = await mkdtemp(join(tmpdir(), "evals-"));
    try {
      await copyFile(join(import.meta.dirname, "scenarios.yaml"), join(folder, "scenarios.yaml"));
      await writeFile(join(folder, "pixels.png"), Buffer.from(png, "base64"));
      await writeFile(join(folder, "tone.wav"), encodeWav(tone(440, { durationMs: 1_000 })));
      const url = `ws://127.0.0.1:${runner.url.port}/ws-client`;
      const args = ["-m", "pipecat.evals", "run", "scenarios.yaml", "--bot-url", url, "--verbose", "--audio"];
      const env = { ...process.env, PYTHONPATH: import.meta.dirname };
      const { stdout } = await promisify(execFile)(String(python), args, { cwd: folder, env });
      expect(stdout).toContain("2/2 passed");
      const recording = parseWav(await readFile(join(folder, "recordings/runner__audio.wav")));
      expect(measurePitch(recording)).toBeCloseTo(440, -1);
      const ends = logger.lines.filter(({ message }) => message === "session ended").map(({ fields }) => fields.reason);
      expect(ends).toEqual(["ended-by-request", "ended-by-request"]);
    } finally {
      await runner.close();
      await rm(folder, { recursive: true });
    }
  },
);

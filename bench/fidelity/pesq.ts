import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** PESQ of speech, from 1 (bad) to 4.6 (the same); narrowband at 8,000 Hz, else wideband at 16,000 Hz. */
export type Pesq = (said: Int16Array, heard: Int16Array, sampleRate: 8_000 | 16_000) => number;

/**
 * Loads PESQ (ITU-T P.862), which exists for Python: installs the package `pesq` into a cache folder of its own the first time.
 * `undefined` where Python, pip or a C compiler is missing.
 */
export function loadPesq(): Pesq | undefined {
  const folder = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "pipecat-runner", "pesq");
  const python = join(folder, "bin", "python");
  const runs = (command: string, ...args: string[]) => spawnSync(command, args, { stdio: "ignore" }).status === 0;
  const installed = existsSync(python) && runs(python, "-c", "import pesq");
  if (!installed && !(runs("python3", "-m", "venv", folder) && runs(python, "-m", "pip", "install", "numpy", "pesq")))
    return undefined;

  return (said, heard, sampleRate) => {
    const input = Buffer.concat(
      [said, heard].map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength)),
    );
    const args = [join(import.meta.dirname, "pesq-score.py"), String(sampleRate), sampleRate === 8_000 ? "nb" : "wb"];
    const { stdout, stderr } = spawnSync(python, args, { input, encoding: "utf8" });
    const value = Number.parseFloat(stdout);
    if (Number.isNaN(value)) throw new Error(`pesq-score.py failed: ${stderr}`);
    return value;
  };
}

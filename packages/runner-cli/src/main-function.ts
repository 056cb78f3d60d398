import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/** The parts of `import.meta` that tell whether a module is the program. */
export interface ModuleMeta {
  readonly url: string;
  readonly main?: boolean;
}

/**
 * Makes a bot file a program: `await main(import.meta)` at its end, and `node bot.ts --port 7861` runs its `bot`.
 *
 * Does nothing when the file was imported, by `pipecat-runner` or by a test. Resolves at once, ahead of the server: the
 * file's own evaluation must end before its `bot` can be had, so what stands after this line runs before the first caller.
 */
export async function main(meta: ModuleMeta): Promise<void> {
  if (!(meta.main ?? isEntry(meta.url))) return;
  const { run } = await import("./run.ts");
  // Not awaited: it imports the file that waits here.
  void run(process.argv.slice(2), fileURLToPath(meta.url));
}

/** What `import.meta.main` says, for Node before 24.2. */
function isEntry(url: string): boolean {
  const [, entry] = process.argv;
  if (entry === undefined) return false;
  try {
    return createRequire(url).resolve(entry) === fileURLToPath(url);
  } catch {
    return false; // The program is no file that can be resolved, so it is not this one.
  }
}

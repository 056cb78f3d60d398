import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { tuneGarbageCollection } from "./garbage-collection.ts";

/** The parts of `import.meta` that tell whether a module is the program. */
export interface ModuleMeta {
  readonly url: string;
  readonly main?: boolean | undefined;
}

/**
 * Makes a bot file a program: with `await main(import.meta)` at its end, `node bot.ts --port 7861` runs its `bot`.
 *
 * Does nothing when the file was imported, by `pipecat-runner` or a test. Resolves at once, before the server listens: the
 * runner can import `bot` only when the file's own evaluation has ended.
 */
export async function main(meta: ModuleMeta): Promise<void> {
  if (!(meta.main ?? isEntry(meta.url))) return;
  tuneGarbageCollection();
  const { run } = await import("./run.ts");
  // Not awaited: `run` imports the file that waits here.
  void run(process.argv.slice(2), fileURLToPath(meta.url));
}

/** `import.meta.main` for Node before 24.2. */
function isEntry(url: string): boolean {
  const [, entry] = process.argv;
  if (entry === undefined) return false;
  try {
    return createRequire(url).resolve(entry) === fileURLToPath(url);
  } catch {
    return false; // The program is not a file that can be resolved, so it is not this one.
  }
}

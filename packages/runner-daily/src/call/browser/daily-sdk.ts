import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { RunnerError } from "@pipecat-ts/runner-core";

/**
 * The one version of daily-js that this package was written and tried against. Unpinned, npm chooses an older one on older
 * Nodes without a word.
 */
export const sdkVersion = "0.92.2";

/** The file of daily-js that a page loads. Throws DAILY_SDK_MISSING, also for another version. */
export function findSdk(resolve: (file: string) => string = createRequire(import.meta.url).resolve): string {
  let file: string;
  let version: unknown;
  try {
    // Its package.json names no exports, so that every file of it can be resolved.
    const manifest = resolve("@daily-co/daily-js/package.json");
    version = (JSON.parse(readFileSync(manifest, "utf8")) as { readonly version?: unknown }).version;
    file = join(dirname(manifest), "dist/daily.js");
  } catch (cause) {
    throw missing("is not installed", cause);
  }
  if (version !== sdkVersion) throw missing(`is of version ${version}`);
  return file;
}

function missing(what: string, cause?: unknown): RunnerError {
  return new RunnerError("DAILY_SDK_MISSING", `@daily-co/daily-js ${what}; bots need exactly ${sdkVersion}.`, {
    status: 503,
    fix: `Install it: npm i --save-exact @daily-co/daily-js@${sdkVersion}`,
    ...(cause !== undefined && { cause }),
  });
}

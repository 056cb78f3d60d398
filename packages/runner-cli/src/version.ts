import { readFileSync } from "node:fs";

/** What this package says of itself. */
export interface Manifest {
  readonly version: string;
  /** The Node versions it runs on: `^22.18 || ^24.11 || >=26`. */
  readonly engines: { readonly node: string };
}

/** Reads this package's own package.json: it lies one folder above both `src` and `dist`. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as Manifest;
}

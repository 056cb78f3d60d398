import { readFileSync } from "node:fs";

/** The parts of this package's own package.json that the program prints or checks. */
export interface Manifest {
  readonly version: string;
  readonly homepage: string;
  /** The supported Node versions: `^22.18 || ^24.11 || >=26`. */
  readonly engines: { readonly node: string };
}

/** Reads this package's package.json: it is one folder above both `src` and `dist`. */
export function readManifest(): Manifest {
  return JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as Manifest;
}

/** Whether `engines`, such as `^22.18 || ^24.11 || >=26`, allows a Node version. Ignores patch numbers. */
export function isSupported(version: string, engines: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return engines.split("||").some((range) => {
    const [, operator, wantedMajor, wantedMinor = "0"] = range.trim().match(/^(\^|>=)(\d+)(?:\.(\d+))?$/) ?? [];
    if (major === Number(wantedMajor)) return minor >= Number(wantedMinor);
    return operator === ">=" && major > Number(wantedMajor);
  });
}

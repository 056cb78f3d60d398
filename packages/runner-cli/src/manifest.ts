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

/** `^22.18 || >=26` in words: `22.18 or 26 (or a newer release of these lines)`. */
export function nodeVersions(engines: string): string {
  const versions = engines.match(/\d+(?:\.\d+)?/g) ?? [];
  const last = versions.at(-1);
  return `${versions.slice(0, -1).join(", ")} or ${last} (or a newer release of these lines)`;
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

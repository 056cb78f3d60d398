/**
 * Keeps `packages/runner-cli/src/generated/transport-flags.ts` equal to the flags of this repository's transports, so that the
 * command can name the package of a flag that it does not know. Checks by default and corrects with `--write`.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { TransportPlugin } from "../packages/runner-core/src/index.ts";

const root = dirname(import.meta.dirname);
const file = "packages/runner-cli/src/generated/transport-flags.ts";
const packagesByFlag = new Map<string, string[]>();

for (const path of globSync("packages/*/package.json", { cwd: root }).sort()) {
  const { name, pipecatRunner } = JSON.parse(readFileSync(join(root, path), "utf8"));
  if (pipecatRunner === undefined) continue;
  const { default: plugin } = (await import(join(root, dirname(path), "src/plugin.ts"))) as {
    default: TransportPlugin;
  };
  for (const { flag } of Object.values<{ readonly flag?: string }>(plugin.options ?? {})) {
    if (flag !== undefined) packagesByFlag.set(flag, [...(packagesByFlag.get(flag) ?? []), name]);
  }
}

const entries = [...packagesByFlag].sort(([a], [b]) => (a < b ? -1 : 1));
const content = `// Written by scripts/transport-flags.ts.

/** The packages of this project's transports that declare each flag. */
export const transportFlags: Readonly<Record<string, readonly string[]>> = ${JSON.stringify(Object.fromEntries(entries), null, 2)};
`;

if (process.argv.includes("--write")) writeFileSync(join(root, file), content);
else if (readFileSync(join(root, file), "utf8") !== content) {
  console.error(`${file} is outdated. Run: pnpm format`);
  process.exit(1);
}
console.log("flags: the command knows the flags of all transports");

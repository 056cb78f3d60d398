import { globSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { defineConfig, type UserConfig } from "tsdown";

/**
 * Builds all packages in one process: for each package, one file in `dist` for each source file that `exports` or `bin` names. Source
 * maps and declaration maps point to `src`, which is published too.
 *
 * Packages in `devDependencies` that the source imports become part of `dist`, because Node starts faster with few large files
 * than with hundreds of small ones. Their licenses are in `dist/third-party-licenses.md`.
 */
/** The licenses whose code may be part of a package under BSD-2-Clause. */
const allowedLicenses = ["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "Unlicense"];

interface Chunk {
  readonly type: string;
  code: string;
  readonly moduleIds?: readonly string[];
  readonly map?: { sources: string[]; sourcesContent?: (string | null)[] } | null;
}

/** Names the bundled packages and their licenses in a file, and leaves their source code out of the source maps. */
const licenses = {
  name: "third-party-licenses",
  generateBundle(
    this: { emitFile(file: { type: "asset"; fileName: string; source: string }): unknown },
    _: unknown,
    bundle: Readonly<Record<string, Chunk>>,
  ): void {
    const chunks = Object.values(bundle);
    const modules = chunks.flatMap(({ moduleIds = [] }) => moduleIds);
    const roots = new Set(modules.flatMap((id) => /^\/.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id) ?? []));
    for (const { map } of chunks) {
      if (map) map.sourcesContent = map.sources.map(() => null);
    }
    if (roots.size === 0) return;
    const sections = [...roots].map(licenseOf).sort();
    const source = `# Licenses of the packages that are part of this one\n\n${sections.join("\n")}`;
    this.emitFile({ type: "asset", fileName: "third-party-licenses.md", source });
  },
};

/**
 * Escapes characters outside Latin-1. V8 keeps the source of each file, with two bytes per character if a single one is outside: 3 MB in
 * all. No text of a bundled package is read raw, where an escape would be another text.
 */
const latin1 = {
  name: "latin-1",
  generateBundle(_: unknown, bundle: Readonly<Record<string, Chunk>>): void {
    const unicode = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
    for (const chunk of Object.values(bundle)) {
      if (chunk.type === "chunk") chunk.code = chunk.code.replace(/[^\0-\xff]/g, unicode);
    }
  },
};

/** A Markdown section with the license of an installed package. Throws when the license is not allowed. */
function licenseOf(root: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  if (!allowedLicenses.includes(license)) throw new Error(`${name} has the license ${license}, which is not allowed.`);
  const file = readdirSync(root).find((each) => /^licen[cs]e/i.test(each));
  const text = file === undefined ? `License: ${license}\n` : readFileSync(join(root, file), "utf8");
  return `## ${name} ${version} (${license})\n\n${text.trim()}\n`;
}

function configOf(folder: string): UserConfig {
  const { exports = {}, bin = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  return {
    cwd: folder,
    entry: [...Object.values(exports), ...Object.values(bin)],
    // Its types are part of the public API of runner-core, so it is a dependency too.
    deps: { alwaysBundle: [/^typebox($|\/)/], onlyBundle: false, dts: { alwaysBundle: [], neverBundle: true } },
    // Without the type checker, which takes 90 % of the time: exported declarations state their types.
    dts: { sourcemap: true, oxc: true },
    sourcemap: true,
    plugins: [licenses, latin1],
    logLevel: "error",
    outExtensions: () => ({ js: ".js", dts: ".d.ts" }),
  };
}

const packages: readonly string[] = globSync("packages/*/package.json", { cwd: import.meta.dirname });
const configs: UserConfig[] = packages.map((manifest) => configOf(join(import.meta.dirname, dirname(manifest))));
export default defineConfig(configs);

/**
 * Keeps every published package equal to the root package.json in repository, homepage, bugs, author, license and keywords,
 * and all packages on one version. Makes the links in package READMEs absolute, because npm resolves relative links against
 * another folder. Keeps the repository's address up to date in the files for GitHub. Checks that changesets name packages that exist.
 *
 * Checks by default and corrects with `--write`. To move the repository, change `repository` in the root package.json and
 * run `pnpm format`.
 */
import { existsSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";

const root = dirname(import.meta.dirname);
const branch = "main";
const projectKeywords: readonly string[] = ["pipecat", "voice", "bot", "realtime", "rtvi"];

interface Manifest {
  readonly private?: boolean;
  readonly keywords?: readonly string[];
  readonly [field: string]: unknown;
}

const { repository, author, license } = readManifest("package.json") as Manifest & {
  readonly repository: { readonly type: string; readonly url: string };
};
const { version } = readManifest("packages/runner-cli/package.json");
const address = repository.url.replace(/^git\+|\.git$/g, "");

function readManifest(file: string): Manifest {
  return JSON.parse(readFileSync(join(root, file), "utf8")) as Manifest;
}

/** The manifest of a published package as it should be. */
function completed(manifest: Manifest, directory: string): Manifest {
  const { name, description, keywords = [] } = manifest;
  const metadata = {
    name,
    version,
    description,
    keywords: [...new Set([...projectKeywords, ...keywords])],
    license,
    author,
    homepage: `${address}/tree/${branch}/${directory}#readme`,
    repository: { ...repository, directory },
    bugs: { url: `${address}/issues` },
  };
  const others = Object.entries(manifest).filter(([field]) => !(field in metadata));
  return { ...metadata, ...Object.fromEntries(others) };
}

/** A text with the repository's present address, and with absolute links in place of those relative to `directory`. */
function withAbsoluteLinks(text: string, directory: string): string {
  const current = text.replace(/https:\/\/github\.com\/[\w.-]+\/pipecat-runner\b/g, address);
  return current.replace(/\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)/g, (_, link: string, anchor = "") => {
    const path = posix.join(directory, link).replace(/\/$/, "");
    const kind = statSync(join(root, path)).isDirectory() ? "tree" : "blob";
    return `](${address}/${kind}/${branch}/${path}${anchor})`;
  });
}

const writes = process.argv.includes("--write");
const outdated: string[] = [];

function settle(file: string, content: string): void {
  if (readFileSync(join(root, file), "utf8") === content) return;
  outdated.push(file);
  if (writes) writeFileSync(join(root, file), content);
}

const packages = new Set<unknown>();
for (const file of globSync("{packages,apps}/*/package.json", { cwd: root })) {
  const manifest = readManifest(file);
  packages.add(manifest.name);
  if (manifest.private) continue;
  const directory = dirname(file);
  settle(file, `${JSON.stringify(completed(manifest, directory), null, 2)}\n`);
  const readme = `${directory}/README.md`;
  if (existsSync(join(root, readme)))
    settle(readme, withAbsoluteLinks(readFileSync(join(root, readme), "utf8"), directory));
}

for (const file of globSync(".github/**/*.{yml,md}", { cwd: root })) {
  settle(file, withAbsoluteLinks(readFileSync(join(root, file), "utf8"), "."));
}

for (const file of globSync(".changeset/*.md", { cwd: root })) {
  for (const [, name] of readFileSync(join(root, file), "utf8").matchAll(/^"(.+)": (?:patch|minor|major)$/gm)) {
    if (packages.has(name)) continue;
    console.error(`${file}: "${name}" is not a package of this repository, so a release would fail. Correct the name.`);
    process.exitCode = 1;
  }
}

if (outdated.length > 0 && !writes) {
  console.error(`Differs from the root package.json: ${outdated.join(", ")}. Run: pnpm format`);
  process.exit(1);
}
console.log(
  writes ? `metadata: ${outdated.length} files corrected` : "metadata: manifests and README links are complete",
);

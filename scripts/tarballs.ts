import { execFile } from "node:child_process";
import { appendFileSync, globSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const root: string = dirname(import.meta.dirname);

export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** A package as it would be published. */
export interface Package {
  readonly name: string;
  readonly tarball: string;
  /** What users import: `@pipecat-ts/runner-webrtc/plugin`. */
  readonly entries: readonly string[];
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

/** Runs a program, and returns what it printed on stdout. Rejects with everything that it printed. */
export async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { cwd, maxBuffer: 16 * 2 ** 20 });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")}:\n${stdout}${stderr}`, { cause: error });
  }
}

/** Packs every public package of the repository into `folder`. They must be built. */
export async function packAll(folder: string): Promise<readonly Package[]> {
  const folders = globSync("{packages,apps}/*/package.json", { cwd: root }).map((file) => join(root, dirname(file)));
  const packages: Package[] = [];
  for (const source of folders) {
    const { name, private: isPrivate, exports } = readManifest(source);
    if (isPrivate) continue;
    const destination = join(folder, basename(source));
    mkdirSync(destination, { recursive: true });
    await run("npx", ["-y", "pnpm@12", "pack", "--pack-destination", destination], source);
    const [tarball = ""] = readdirSync(destination);
    packages.push({
      name,
      tarball: join(destination, tarball),
      entries: Object.keys(exports).map((path) => name + path.slice(1)),
    });
  }
  return packages;
}

/** Makes a project install packed packages: they refer to each other by version, and these versions may not be published. */
export function useTarballs(project: string, packages: readonly Package[]): void {
  const file = join(project, "package.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  const overrides = Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`]));
  for (const kind of ["dependencies", "devDependencies", "peerDependencies"]) {
    for (const name of Object.keys(manifest[kind] ?? {}))
      manifest[kind][name] = overrides[name] ?? manifest[kind][name];
  }
  writeFileSync(file, JSON.stringify({ ...manifest, overrides }));
  const lines = Object.entries(overrides).map(([name, tarball]) => `  "${name}": "${tarball}"\n`);
  appendFileSync(join(project, "pnpm-workspace.yaml"), `overrides:\n${lines.join("")}`);
}

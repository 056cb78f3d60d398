import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const root: string = dirname(import.meta.dirname);

export interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** A package as it would be published. */
export interface Package {
  readonly name: string;
  readonly tarball: string;
  /** The hash of the tarball, as lock files have it. */
  readonly integrity: string;
  /** The `package.json` in the tarball. */
  readonly manifest: PublishedManifest;
  /** What users import: `@pipecat-ts/runner-webrtc/plugin`. */
  readonly entries: readonly string[];
}

export interface PublishedManifest extends Manifest {
  readonly version: string;
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

/** Runs a program, and returns what it printed on stdout. Rejects with everything that it printed. */
export async function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { cwd, env, maxBuffer: 16 * 2 ** 20 });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")}:\n${stdout}${stderr}`, { cause: error });
  }
}

/** Packs every public package of the repository into `folder`. They must be built. */
export async function packAll(folder: string): Promise<readonly Package[]> {
  mkdirSync(folder, { recursive: true });
  const packed: readonly { readonly name: string; readonly filename: string; readonly integrity: string }[] =
    JSON.parse(await run("npx", ["-y", "pnpm@12", "-r", "pack", "--json", "--pack-destination", folder], root));
  const packages = packed.map(async ({ name, filename, integrity }) => {
    const tarball = resolve(folder, filename);
    const manifest: PublishedManifest = JSON.parse(await run("tar", ["-xzOf", tarball, "package/package.json"], root));
    const entries = Object.keys(manifest.exports ?? {}).map((path) => name + path.slice(1));
    return { name, tarball, integrity, manifest, entries };
  });
  return (await Promise.all(packages)).filter(({ manifest }) => !manifest.private);
}

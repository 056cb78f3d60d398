/**
 * Packs every public package as it would be published, and checks the tarballs: with publint and are-the-types-wrong, and
 * in a strict project that imports every entry without `skipLibCheck`, installed by npm and by pnpm. Run after `pnpm build`.
 */
import { execFile } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";

const execute = promisify(execFile);
const root = dirname(import.meta.dirname);
const temporary = mkdtempSync(join(tmpdir(), "pipecat-packages-"));

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

interface Package {
  readonly name: string;
  readonly tarball: string;
  /** What users import: `@pipecat-ts/runner-webrtc/plugin`. */
  readonly entries: readonly string[];
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

/** Runs a program. Rejects with everything that it printed. */
async function run(program: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await execute(program, args, { cwd, maxBuffer: 16 * 2 ** 20 });
    return stdout;
  } catch (error) {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    throw new Error(`${program} ${args.join(" ")}:\n${stdout}${stderr}`, { cause: error });
  }
}

async function pack(folder: string): Promise<Package | undefined> {
  const { name, private: isPrivate, exports } = readManifest(folder);
  if (isPrivate) return undefined;
  const destination = join(temporary, "tarballs", basename(folder));
  mkdirSync(destination, { recursive: true });
  await run("npx", ["-y", "pnpm@12", "pack", "--pack-destination", destination], folder);
  const [tarball = ""] = readdirSync(destination);
  return {
    name,
    tarball: join(destination, tarball),
    entries: Object.keys(exports).map((path) => name + path.slice(1)),
  };
}

async function lint({ tarball }: Package): Promise<void> {
  await run("publint", ["run", tarball, "--strict"], root);
  await run("attw", [tarball, "--profile", "esm-only", "--no-emoji"], root);
}

/** Installs all tarballs in a project, compiles a file that imports every entry, and runs the command. */
async function compile(manager: "npm" | "pnpm", packages: readonly Package[]): Promise<void> {
  const project = join(temporary, manager);
  mkdirSync(project);
  const tarballs = Object.fromEntries(packages.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const { "@types/node": types, typescript, vitest } = readManifest(root).devDependencies;
  const manifest = { type: "module", dependencies: { ...tarballs, "@types/node": types, typescript, vitest } };
  // Packages refer to each other by version, and these versions may not be published.
  const overrides = Object.entries(tarballs).map(([name, file]) => `  "${name}": "${file}"`);
  const files = {
    "package.json": JSON.stringify(manager === "npm" ? { ...manifest, overrides: tarballs } : manifest),
    "pnpm-workspace.yaml": `overrides:\n${overrides.join("\n")}\n`,
    "tsconfig.json": JSON.stringify({
      compilerOptions: {
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        noEmit: true,
        target: "es2024",
        lib: ["es2024"],
        module: "nodenext",
        types: ["node"],
      },
      files: ["bot.ts"],
    }),
    "bot.ts": packages
      .flatMap(({ entries }) => entries)
      .map((entry, index) => `import * as entry${index} from "${entry}";\nconsole.log(entry${index});\n`)
      .join(""),
  };
  for (const [file, content] of Object.entries(files)) writeFileSync(join(project, file), content);
  const install = ["install", "--ignore-scripts"];
  if (manager === "npm") await run("npm", [...install, "--no-audit", "--no-fund"], project);
  else await run("npx", ["-y", "pnpm@12", ...install, "--no-frozen-lockfile"], project);
  await run(join(project, "node_modules/.bin/tsc"), ["-p", "."], project);
  await run(process.execPath, [join(project, "node_modules/pipecat-runner/dist/main.js"), "--version"], project);
}

/** The messages of the checks that failed. */
async function failures(checks: readonly Promise<void>[]): Promise<readonly string[]> {
  const results = await Promise.allSettled(checks);
  return results.flatMap((result) => (result.status === "rejected" ? [String(result.reason.message)] : []));
}

try {
  const folders = globSync("{packages,apps}/*/package.json", { cwd: root }).map((file) => join(root, dirname(file)));
  const packages: Package[] = [];
  const errors: string[] = [];
  for (const folder of folders) {
    const packed = await pack(folder);
    if (packed) packages.push(packed);
  }
  for (const packed of packages) errors.push(...(await failures([lint(packed)])));
  errors.push(...(await failures([compile("npm", packages), compile("pnpm", packages)])));
  for (const error of errors) console.error(error);
  if (errors.length > 0) process.exitCode = 1;
  else
    console.log(
      `packages: ${packages.length} tarballs pass publint and are-the-types-wrong, and compile under npm and pnpm`,
    );
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

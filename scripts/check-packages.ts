/**
 * Packs every public package as it would be published, and checks the tarballs: with publint and are-the-types-wrong, and
 * in a strict project that imports every entry without `skipLibCheck`, installed by npm and by pnpm. In each project, the
 * command answers a WebRTC offer. Run after `pnpm build`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { chromium as offer } from "../packages/runner-webrtc/src/peer/test/offers.ts";
import { type Package, packAll, readManifest, run } from "./tarballs.ts";

const root = dirname(import.meta.dirname);
const temporary = mkdtempSync(join(tmpdir(), "pipecat-packages-"));

/** Rejects unless a package that contains libraries contains their licenses. */
async function checkLicenses({ name, tarball }: Package): Promise<void> {
  const files = (await run("tar", ["-tzf", tarball], root)).split("\n");
  const maps = files.filter((file) => /\/dist\/.*\.js\.map$/.test(file));
  const sources = await Promise.all(
    maps.map(async (file) => JSON.parse(await run("tar", ["-xzOf", tarball, file], root)).sources as string[]),
  );
  const needed = sources.flat().some((source) => source.includes("node_modules/"));
  if (needed && !files.includes("package/dist/third-party-licenses.md"))
    throw new Error(`${name} has no dist/third-party-licenses.md.`);
}

async function lint(packages: readonly Package[]): Promise<void> {
  const errors: string[] = [];
  for (const packed of packages) {
    const { tarball } = packed;
    const publint = run("publint", ["run", tarball, "--strict"], root);
    const types = run("attw", [tarball, "--profile", "esm-only", "--no-emoji"], root);
    errors.push(...(await failures([publint, types, checkLicenses(packed)])));
  }
  if (errors.length > 0) throw new Error(errors.join("\n"));
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
  // The program of a worker would wait for its gateway.
  const entries = packages.flatMap((each) => each.entries).filter((entry) => entry !== "pipecat-runner/worker");
  const imports = entries.map((entry) => `await import("${entry}");`).join("\n");
  await run(process.execPath, ["--input-type=module", "--eval", imports], project);
  await answerOffer(project);
}

/** Starts the command in the project. Rejects unless it answers a WebRTC offer. */
async function answerOffer(project: string): Promise<void> {
  writeFileSync(join(project, "echo.js"), "export const bot = (args) => args.connect();");
  const command = join(project, "node_modules/pipecat-runner/dist/main.js");
  const runner = spawn(process.execPath, [command, "echo.js", "--port", "0"], {
    cwd: project,
    stdio: ["ignore", "ignore", "pipe"],
  });
  try {
    const url = new URL("api/offer", await listening(runner));
    const response = await fetch(url, {
      method: "POST",
      body: JSON.stringify({ sdp: offer, type: "offer" }),
      headers: { "content-type": "application/json" },
    });
    const answer = await response.text();
    if (!/"sdp":"v=0.*opus/.test(answer))
      throw new Error(`The installed command answered an offer with ${response.status} ${answer}`);
  } finally {
    runner.kill("SIGINT");
    if (runner.exitCode === null) await once(runner, "exit");
  }
}

/** Resolves with the URL that the runner prints. Rejects when it exits before. */
async function listening({ stderr }: ChildProcess): Promise<string> {
  let printed = "";
  for await (const chunk of stderr ?? []) {
    printed += chunk;
    const [url] = /http:\/\/localhost:\d+/.exec(printed) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error(`The installed command ended before it listened:\n${printed}`);
}

/** The messages of the checks that failed. */
async function failures(checks: readonly Promise<unknown>[]): Promise<readonly string[]> {
  const results = await Promise.allSettled(checks);
  return results.flatMap((result) => (result.status === "rejected" ? [String(result.reason.message)] : []));
}

try {
  const packages = await packAll(join(temporary, "tarballs"));
  const errors = await failures([lint(packages), compile("npm", packages), compile("pnpm", packages)]);
  for (const error of errors) console.error(error);
  if (errors.length > 0) process.exitCode = 1;
  else
    console.log(
      `packages: ${packages.length} tarballs pass publint and are-the-types-wrong, compile under npm and pnpm, and answer an offer`,
    );
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

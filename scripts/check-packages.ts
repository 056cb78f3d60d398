/**
 * Packs every public package as it would be published and asks publint and are-the-types-wrong about the tarball.
 * Run after `pnpm build`.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = dirname(import.meta.dirname);
const destination = mkdtempSync(join(tmpdir(), "pipecat-packages-"));

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
}

async function complaintsOf(folder: string): Promise<string | undefined> {
  const { name, private: unpublished } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  if (unpublished) return undefined;
  const target = mkdtempSync(join(destination, "p-"));
  await run("npx", ["-y", "pnpm@12", "pack", "--pack-destination", target], { cwd: folder });
  const [tarball] = readdirSync(target);
  const path = join(target, String(tarball));
  const reports = await Promise.allSettled([
    run("publint", ["run", path, "--strict"], { cwd: root }),
    run("attw", [path, "--profile", "esm-only", "--no-emoji"], { cwd: root }),
  ]);
  const failed = reports.filter((report) => report.status === "rejected");
  if (failed.length === 0) return undefined;
  return `${name}:\n${failed.map(({ reason }) => `${reason.stdout}${reason.stderr}`).join("\n")}`;
}

try {
  const folders = ["packages", "apps"].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  );
  const complaints: string[] = [];
  for (const folder of folders) complaints.push((await complaintsOf(folder)) ?? "");
  const found = complaints.filter((complaint) => complaint !== "");
  if (found.length > 0) {
    console.error(found.join("\n"));
    process.exitCode = 1;
  } else console.log("packages: publint and are-the-types-wrong find nothing");
} finally {
  rmSync(destination, { recursive: true, force: true });
}

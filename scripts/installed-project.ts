import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startRegistry } from "./local-registry.ts";
import { packAll, run } from "./tarballs.ts";

/** Installs packages as they are published into a new project in `folder`, and returns its path. They must be built. */
export async function installProject(folder: string, dependencies: readonly string[]): Promise<string> {
  const project = join(folder, "project");
  mkdirSync(project);
  const manifest = { type: "module", dependencies: Object.fromEntries(dependencies.map((name) => [name, "*"])) };
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest));
  const upstream = await run("npm", ["config", "get", "registry"], folder);
  const registry = await startRegistry(await packAll(join(folder, "tarballs")), upstream.trim());
  try {
    await run("npm", ["install", "--registry", registry.origin, "--no-audit", "--no-fund"], project);
  } finally {
    await registry.close();
  }
  return project;
}

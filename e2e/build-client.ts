import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { clientRoot } from "@pipecat-ts/browser-client";

/** Builds the web client unless it is built already, so that `vitest` alone runs in a fresh checkout. */
export default async function buildClient(): Promise<void> {
  if (existsSync(join(clientRoot, "index.html"))) return;
  const client = dirname(clientRoot);
  const vite = join(client, "node_modules/vite/bin/vite.js");
  // In a child process: with vitest's NODE_ENV, the build would contain React's development version.
  const env = { ...process.env, NODE_ENV: "production" };
  await promisify(execFile)(process.execPath, [vite, "build"], { cwd: client, env });
}

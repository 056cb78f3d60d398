import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { clientRoot } from "@pipecat-ts/browser-client";
import { build } from "vite";

/** Builds the web client where nobody has built it yet, so that `vitest` alone runs in a fresh checkout. */
export default async function buildClient(): Promise<void> {
  if (existsSync(join(clientRoot, "index.html"))) return;
  await build({ root: dirname(clientRoot), logLevel: "warn" });
}

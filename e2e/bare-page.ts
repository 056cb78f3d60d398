import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";

/** A page that knows nothing of ours, with Pipecat's published client in it, built into a temporary folder. */
export interface BarePage extends AsyncDisposable {
  /** Serve it at any path, as `bare.html`. */
  readonly folder: string;
}

export async function buildBarePage(): Promise<BarePage> {
  const folder = await mkdtemp(join(tmpdir(), "pipecat-page-"));
  await build({
    root: join(import.meta.dirname, "page"),
    base: "./",
    logLevel: "error",
    build: { outDir: folder, emptyOutDir: true, minify: false, rollupOptions: { input: "bare.html" } },
  });
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

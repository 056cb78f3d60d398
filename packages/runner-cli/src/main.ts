#!/usr/bin/env node
import module from "node:module";
import { isSupported, readManifest } from "./manifest.ts";
import { limitYoungGeneration } from "./young-generation.ts";

const { engines } = readManifest();
if (isSupported(process.versions.node, engines.node)) {
  // Node caches compiled code in the temporary folder: a second start takes a fifth less time.
  module.enableCompileCache();
  limitYoungGeneration();
  const { run } = await import("./run.ts");
  await run(process.argv.slice(2));
} else {
  console.error(`error: pipecat-runner requires Node ${engines.node}. This is Node ${process.versions.node}.`);
  process.exitCode = 1;
}

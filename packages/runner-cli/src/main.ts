#!/usr/bin/env node
import module from "node:module";
import { tuneGarbageCollection } from "./garbage-collection.ts";
import { isSupported, nodeVersions, readManifest } from "./manifest.ts";

const { engines } = readManifest();
if (isSupported(process.versions.node, engines.node)) {
  // Node caches compiled code in the temporary folder: a second start takes a fifth less time.
  module.enableCompileCache?.();
  tuneGarbageCollection();
  const { run } = await import("./run.ts");
  await run(process.argv.slice(2));
} else {
  const required = nodeVersions(engines.node);
  console.error(`error: pipecat-runner requires Node ${required}. This is Node ${process.versions.node}.`);
  process.exitCode = 1;
}

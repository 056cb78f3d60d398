#!/usr/bin/env node
import module from "node:module";
import { isSupported } from "./node-version.ts";
import { readManifest } from "./version.ts";

const { engines } = readManifest();
if (isSupported(process.versions.node, engines.node)) {
  // Node's cache of compiled code in the temporary folder: a second start takes a fifth less time.
  module.enableCompileCache();
  const { run } = await import("./run.ts");
  await run(process.argv.slice(2));
} else {
  console.error(`error: pipecat-runner needs Node ${engines.node}, and this is ${process.versions.node}.`);
  process.exitCode = 1;
}

#!/usr/bin/env node
import { isSupported } from "./node-version.ts";
import { readManifest } from "./version.ts";

const { engines } = readManifest();
if (isSupported(process.versions.node, engines.node)) {
  const { run } = await import("./run.ts");
  await run(process.argv.slice(2));
} else {
  console.error(`error: pipecat-runner needs Node ${engines.node}, and this is ${process.versions.node}.`);
  process.exitCode = 1;
}

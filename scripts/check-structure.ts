/**
 * Checks the rules of this repository that Biome does not have: which package may depend on which, and that only transport
 * packages name a transport. (Biome checks import cycles and undeclared dependencies.)
 */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

/** The packages of this repository that each package may depend on. `*` matches every package without a row of its own. */
const allowedDependencies: Readonly<Record<string, readonly string[]>> = {
  audio: [],
  rtvi: [],
  "runner-core": ["audio"],
  "runner-media": ["runner-core", "audio"],
  "runner-sessions": ["runner-media", "runner-core", "audio"],
  "runner-files": ["runner-core"],
  "runner-openapi": ["runner-core"],
  "runner-host": ["runner-sessions", "runner-files", "runner-openapi", "runner-core", "rtvi"],
  "runner-capture": ["runner-host", "runner-core"],
  "runner-gateway": ["runner-host", "runner-core"],
  "runner-fleet": ["runner-gateway", "runner-host", "runner-core"],
  "runner-fleet-redis": ["runner-fleet", "runner-core"],
  "runner-cli": [
    ...["runner-fleet", "runner-gateway", "runner-capture", "runner-host", "runner-files", "runner-core"],
    ...["rtvi", "audio", "browser-client"],
  ],
  "runner-testing": [
    ...["runner-telephony", "runner-capture", "runner-host", "runner-sessions", "runner-media", "runner-core", "audio"],
  ],
  "runner-telephony": ["runner-core", "audio"],
  "runner-telephony-*": ["runner-telephony", "runner-core", "audio"],
  "runner-whatsapp": ["runner-webrtc", "runner-core", "audio"],
  "runner-*": ["runner-core", "audio"],
};
/** Generated files are exempt: the command finds the package of a flag in a list that `transport-flags.ts` writes. */
const withoutTransportNames = [
  "runner-core",
  "runner-media",
  "runner-sessions",
  "runner-files",
  "runner-openapi",
  "runner-host",
  "runner-capture",
  "runner-gateway",
  "runner-fleet",
  "runner-fleet-redis",
  "runner-cli",
];
const transportNames = /\b(websocket|webrtc|daily|livekit|twilio|telnyx|plivo|exotel|vonage|whatsapp)["'`]/i;

const root = dirname(import.meta.dirname);
const errors: string[] = [];

for (const manifest of globSync("packages/*/package.json", { cwd: root })) {
  const folder = dirname(manifest);
  const name = basename(folder);
  const dependencies = checkDependencies(name, manifest);
  for (const file of globSync(`${folder}/src/**/*.ts`, { cwd: root })) checkSource(name, file, dependencies);
}

/** Returns the names of the dependencies. */
function checkDependencies(name: string, manifest: string): ReadonlySet<string> {
  const pattern = Object.keys(allowedDependencies).find(
    (key) => key.endsWith("*") && name.startsWith(key.slice(0, -1)),
  );
  const allowed = allowedDependencies[name] ?? allowedDependencies[pattern ?? ""] ?? [];
  const { dependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(`${root}/${manifest}`, "utf8"));
  const names = new Set([name === "runner-cli" ? "pipecat-runner" : `@pipecat-ts/${name}`]);
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    names.add(dependency);
    const target = dependency === "pipecat-runner" ? "runner-cli" : dependency.match(/^@pipecat-ts\/(.+)$/)?.[1];
    if (target === undefined || allowed.includes(target)) continue;
    errors.push(`${manifest}: ${name} must not depend on ${target}. Allowed: ${allowed.join(", ") || "none"}.`);
  }
  return names;
}

function checkSource(name: string, file: string, dependencies: ReadonlySet<string>): void {
  if (/\/generated\/|\/test\/|\.test\.ts$/.test(file)) return;
  const lines = readFileSync(`${root}/${file}`, "utf8").split("\n");
  lines.forEach((line, index) => {
    const isCode = !/^\s*(\*|\/\/|\/\*)/.test(line);
    if (withoutTransportNames.includes(name) && isCode && transportNames.test(line)) {
      errors.push(`${file}:${index + 1}: names a transport. Ask the opened plugins instead.`);
    }
    const own = / from "(@pipecat-ts\/[^/"]+|pipecat-runner)/.exec(line)?.[1];
    if (own !== undefined && isCode && !dependencies.has(own)) {
      errors.push(`${file}:${index + 1}: ${own} is not a dependency: the build would copy it into this package.`);
    }
    if (/^import Type\b.* from "typebox"/.test(line)) {
      errors.push(
        `${file}:${index + 1}: write \`import * as Type from "typebox"\`: the build would copy all of typebox.`,
      );
    }
    if (name === "runner-core" && /^import (?!type).*"@pipecat-ts\/audio"/.test(line)) {
      errors.push(`${file}:${index + 1}: core may import only types from audio.`);
    }
  });
}

for (const error of errors) console.error(error);
if (errors.length > 0) process.exit(1);
console.log("structure: dependencies and transport names are as allowed");

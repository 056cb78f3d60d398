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
  "runner-gateway": ["runner-host", "runner-core"],
  "runner-cli": ["runner-gateway", "runner-host", "runner-files", "runner-core", "rtvi", "audio", "browser-client"],
  "runner-testing": ["runner-telephony", "runner-host", "runner-sessions", "runner-media", "runner-core", "audio"],
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
  "runner-gateway",
  "runner-cli",
];
const transportNames = /\b(websocket|webrtc|daily|livekit|twilio|telnyx|plivo|exotel|whatsapp)["'`]/i;

const root = dirname(import.meta.dirname);
const errors: string[] = [];

for (const manifest of globSync("packages/*/package.json", { cwd: root })) {
  const folder = dirname(manifest);
  const name = basename(folder);
  checkDependencies(name, manifest);
  for (const file of globSync(`${folder}/src/**/*.ts`, { cwd: root })) checkSource(name, file);
}

function checkDependencies(name: string, manifest: string): void {
  const pattern = Object.keys(allowedDependencies).find(
    (key) => key.endsWith("*") && name.startsWith(key.slice(0, -1)),
  );
  const allowed = allowedDependencies[name] ?? allowedDependencies[pattern ?? ""] ?? [];
  const { dependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(`${root}/${manifest}`, "utf8"));
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    const target = dependency === "pipecat-runner" ? "runner-cli" : dependency.match(/^@pipecat-ts\/(.+)$/)?.[1];
    if (target === undefined || allowed.includes(target)) continue;
    errors.push(`${manifest}: ${name} must not depend on ${target}. Allowed: ${allowed.join(", ") || "none"}.`);
  }
}

function checkSource(name: string, file: string): void {
  if (/\/generated\/|\.test\.ts$/.test(file)) return;
  const lines = readFileSync(`${root}/${file}`, "utf8").split("\n");
  lines.forEach((line, index) => {
    const isCode = !/^\s*(\*|\/\/|\/\*)/.test(line);
    if (withoutTransportNames.includes(name) && isCode && transportNames.test(line)) {
      errors.push(`${file}:${index + 1}: names a transport. Ask the opened plugins instead.`);
    }
    if (name === "runner-core" && /^import (?!type).*"@pipecat-ts\/audio"/.test(line)) {
      errors.push(`${file}:${index + 1}: core may import only types from audio.`);
    }
  });
}

for (const error of errors) console.error(error);
if (errors.length > 0) process.exit(1);
console.log("structure: dependencies and transport names are as allowed");

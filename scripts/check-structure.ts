/**
 * Checks the house's own rules, those no linter knows: which package may stand on which, that nobody but a transport
 * knows a transport's name, and how long a file may be. (Import cycles and undeclared dependencies are Biome's.)
 */
import { globSync, readFileSync } from "node:fs";
import { dirname, relative } from "node:path";

/** Folder name to what its code may import of ours. `runner-*` stands for every transport that has no row of its own. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  audio: [],
  rtvi: [],
  "runner-core": ["audio"],
  "runner-media": ["runner-core", "audio"],
  "runner-host": ["runner-core", "rtvi"],
  "runner-cli": ["runner-host", "runner-core", "rtvi", "browser-client"],
  "runner-testing": ["runner-host", "runner-core", "runner-media", "audio"],
  "runner-telephony": ["runner-core", "runner-media", "audio"],
  // `testing` is for those who have runner-testing installed.
  "runner-telephony-*": ["runner-core", "runner-media", "audio", "runner-telephony", "runner-testing"],
  "runner-whatsapp": ["runner-core", "runner-webrtc"],
  "runner-*": ["runner-core", "runner-media", "audio"],
};
const knowsNoTransport: readonly string[] = ["runner-core", "runner-media", "runner-host", "runner-cli"];
const transportNames = /\b(websocket|webrtc|daily|twilio|telnyx|plivo|exotel|whatsapp)["'`]/i;
const maxLines = 300;

const root = dirname(import.meta.dirname);
const complaints: string[] = [];

for (const manifest of globSync("packages/*/package.json", { cwd: root })) {
  const folder = dirname(manifest);
  checkArrows(folder.slice("packages/".length), manifest);
  for (const file of globSync(`${folder}/src/**/*.ts`, { cwd: root }))
    checkSource(folder.slice("packages/".length), file);
}

function checkArrows(name: string, manifest: string): void {
  const family = Object.keys(arrows).find((key) => key.endsWith("*") && name.startsWith(key.slice(0, -1)));
  const allowed = arrows[name] ?? (family === undefined ? [] : arrows[family]) ?? [];
  const { dependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(`${root}/${manifest}`, "utf8"));
  for (const dependency of Object.keys({ ...dependencies, ...peerDependencies })) {
    const target = dependency === "pipecat-runner" ? "runner-cli" : dependency.match(/^@pipecat-ts\/(.+)$/)?.[1];
    if (target !== undefined && !allowed.includes(target))
      complaints.push(
        `${manifest}: ${name} may not depend on ${target}, only on ${allowed.join(", ") || "nothing of ours"}`,
      );
  }
}

function checkSource(name: string, file: string): void {
  if (/\/generated\/|\.test\.ts$/.test(file)) return;
  const lines = readFileSync(`${root}/${file}`, "utf8").split("\n");
  if (lines.length > maxLines) complaints.push(`${file}: ${lines.length} lines; split it by idea below ${maxLines}`);
  lines.forEach((line, index) => {
    const at = `${relative(root, `${root}/${file}`)}:${index + 1}`;
    const code = !/^\s*(\*|\/\/|\/\*)/.test(line);
    if (knowsNoTransport.includes(name) && code && transportNames.test(line))
      complaints.push(`${at}: names a transport; ask the opened plugins instead`);
    if (name === "runner-core" && /^import (?!type).*"@pipecat-ts\/audio"/.test(line))
      complaints.push(`${at}: core may import audio's types only`);
  });
}

for (const complaint of complaints) console.error(complaint);
if (complaints.length > 0) process.exit(1);
console.log("structure: arrows, names and file lengths hold");

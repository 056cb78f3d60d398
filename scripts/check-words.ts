/**
 * Checks names and texts against the project's terms: identifiers and file names that have a standard term, and "is no …"
 * for "is not a …".
 */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

/** Words, or groups of words, that must not occur in identifiers and file names, with the term to use. */
const replacements: Readonly<Record<string, string>> = {
  brake: "throttle",
  breather: "yieldEvery",
  "callers must prove": "requireAuth",
  complaints: "stderr tail",
  deaf: "decoder failed",
  "delay target": "target delay",
  "early silence": "keepalive silence",
  ears: "input audio",
  entrance: "Call",
  farewell: "disconnect grace period",
  "find way": "connect ICE",
  "give back": "release",
  "give up": "force end",
  "holds place": "reserve",
  "is proven": "verified",
  lateness: "timer lag",
  "left out": "accelerate",
  objected: "warnedOnce",
  "open to all": "unauthenticated routes",
  ownership: "disposables",
  "packet order": "sequence unwrapper",
  patience: "timeout",
  puppet: "scripted bot",
  "put in": "expand",
  "raw reply": "writeRawResponse",
  "read on": "lingering close",
  reception: "early media buffer",
  "refuse strangers": "host and origin checks",
  roster: "participants",
  seat: "join",
  "settled within": "withTimeout",
  "socket segment": "socketUrl",
  "sound queue": "PCM buffer",
  stage: "fixture",
  strangers: "origin check",
  stretch: "utterance or playback",
  switchboard: "call router",
  "takes anybody": "acceptsUnverified",
  timeline: "reorder buffer",
  toy: "fake",
  unmet: "AssertionError",
};
const awkward = /\b(is|are) no\b(?! (longer|more|less)\b)/i;

const root = dirname(import.meta.dirname);
const errors: string[] = [];
const folders = "{packages,apps,e2e,bench,scripts}";
const sources = globSync(`${folders}/**/*.{ts,tsx,js}`, { cwd: root, exclude: isForeign }).filter(isChecked);
const texts = globSync([`{packages,apps,e2e,bench,docs,.changeset}/**/*.md`, "*.md"], {
  cwd: root,
  exclude: isForeign,
});

function isForeign(path: string): boolean {
  return /(^|\/)(node_modules|dist|generated)$/.test(path);
}

function isChecked(file: string): boolean {
  return !/(^|\/)(node_modules|dist|generated)\//.test(file) && file !== "scripts/check-words.ts";
}

for (const file of sources) {
  const text = readFileSync(`${root}/${file}`, "utf8");
  checkName(file, basename(file));
  const names = new Set(withoutTexts(text).match(/[A-Za-z_$][\w$]*/g));
  for (const name of names) checkName(`${file}: ${name}`, name);
}
for (const file of [...sources, ...texts].filter(isChecked)) {
  readFileSync(`${root}/${file}`, "utf8")
    .split("\n")
    .forEach((line, index) => {
      const [found] = line.match(awkward) ?? [];
      if (found) errors.push(`${file}:${index + 1}: "${found} …": say "not a …", or name what is missing.`);
    });
}

/** Code without comments and string contents. */
function withoutTexts(code: string): string {
  return code
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, " ")
    .replace(/`(?:\\.|[^`\\])*`/g, " ");
}

function checkName(place: string, name: string): void {
  const words = ` ${name
    .replace(/([a-z\d])([A-Z])/g, "$1 $2")
    .split(/[^A-Za-z]+/)
    .join(" ")
    .toLowerCase()} `;
  for (const [word, term] of Object.entries(replacements)) {
    if (words.includes(` ${word} `)) errors.push(`${place}: "${word}" has a standard term: ${term}.`);
  }
}

for (const error of errors) console.error(error);
if (errors.length > 0) process.exit(1);
console.log("words: names and texts use the project's terms");

/**
 * Checks that the schemas of data from outside bound every list, text and record: `maxItems`, `maxLength` and `maxProperties`.
 *
 * The options of the command line and the environment (`options.ts`, `flags.ts`) come from the operator, and the messages in
 * `server-messages.ts` from the bot, so they are exempt. Keys of records have no bound of their own: `maxProperties` and the limit
 * of the message or body bound them.
 */
import { globSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

const bounds: Readonly<Record<string, string>> = { Array: "maxItems", String: "maxLength", Record: "maxProperties" };
const exemptFiles = ["options.ts", "flags.ts", "server-messages.ts"];

const root = dirname(import.meta.dirname);
const errors: string[] = [];

for (const file of globSync("packages/*/src/**/*.ts", { cwd: root })) {
  if (/\/(test|generated)\/|\.test\.ts$/.test(file) || exemptFiles.includes(basename(file))) continue;
  check(file, readFileSync(`${root}/${file}`, "utf8"));
}

function check(file: string, code: string): void {
  for (const { index, 0: call, 1: type = "" } of code.matchAll(/\bType\.(Array|String|Record)\(/g)) {
    const isRecordKey = type === "String" && code.slice(0, index).endsWith("Type.Record(");
    if (isRecordKey || bound(code, index + call.length).includes(`${bounds[type]}:`)) continue;
    const line = code.slice(0, index).split("\n").length;
    errors.push(`${file}:${line}: Type.${type} has no ${bounds[type]}. Add it, next to the source of the figure.`);
  }
}

/** The code of a call's last argument, which has the options of the schema. `begin` is the index after the bracket. */
function bound(code: string, begin: number): string {
  let depth = 0;
  let last = begin;
  for (let index = begin; index < code.length; index++) {
    const character = code[index] ?? "";
    if ("([{".includes(character)) depth += 1;
    if (")]}".includes(character)) depth -= 1;
    if (depth < 0) return code.slice(last, index);
    if (character === "," && depth === 0 && code.slice(index + 1).trimStart()[0] !== ")") last = index;
  }
  return code.slice(last);
}

for (const error of errors) console.error(error);
if (errors.length > 0) process.exit(1);
console.log("bounds: the schemas of data from outside bound lists, texts and records");

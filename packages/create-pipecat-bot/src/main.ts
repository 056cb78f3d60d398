#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { styleText } from "node:util";
import { ChoiceError } from "./choices.ts";
import { helpText, parseCommandLine } from "./command-line.ts";
import { createBot } from "./create-bot.ts";
import { CancelledError, printNextSteps } from "./prompts.ts";
import { readCatalog } from "./templates.ts";

const argv = process.argv.slice(2);
try {
  const { help, version } = parseCommandLine(argv);
  if (help) process.stdout.write(helpText(readCatalog()));
  else if (version) console.log(readVersion());
  else {
    const interactive = process.stdin.isTTY === true && process.stdout.isTTY === true;
    const { nextSteps } = await createBot(argv, { interactive, userAgent: process.env.npm_config_user_agent });
    printNextSteps(nextSteps);
  }
} catch (error) {
  if (!(error instanceof ChoiceError || error instanceof CancelledError)) throw error;
  console.error(`${styleText(["bold", "red"], "error:", { stream: process.stderr })} ${error.message}`);
  process.exitCode = 1;
}

function readVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return version;
}

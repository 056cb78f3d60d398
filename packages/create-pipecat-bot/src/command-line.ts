import { parseArgs } from "node:util";
import { closest } from "../../runner-core/src/closest.ts";
import { ChoiceError, managers } from "./choices.ts";
import { defaultFolder } from "./prompts.ts";
import type { Catalog } from "./templates.ts";

/** A parsed command line. `undefined`: not given. */
export interface CommandLine {
  readonly folder: string | undefined;
  readonly template: string | undefined;
  readonly transports: string | undefined;
  readonly manager: string | undefined;
  readonly js: boolean | undefined;
  readonly install: boolean;
  readonly yes: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const options = {
  template: { type: "string", short: "t" },
  transports: { type: "string" },
  manager: { type: "string" },
  js: { type: "boolean" },
  ts: { type: "boolean" },
  "no-install": { type: "boolean" },
  yes: { type: "boolean", short: "y" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

/** Parses the arguments, with or without the `--` before the flags: npm removes it, pnpm does not. Throws a ChoiceError that names the flag. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { values, positionals, tokens } = parseArgs({
    args: argv.filter((argument) => argument !== "--"),
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const known = Object.hasOwn(options, token.name) ? options[token.name as keyof typeof options] : undefined;
    if (known === undefined) {
      const similar = closest(token.name, Object.keys(options));
      const fix = similar === undefined ? "See --help." : `Did you mean --${similar}?`;
      throw new ChoiceError(`${token.rawName} is not a flag. ${fix}`);
    }
    if (known.type === "string" && (!token.value || (!token.inlineValue && token.value.startsWith("-")))) {
      throw new ChoiceError(`${token.rawName} has no value. See --help.`);
    }
    if (known.type === "boolean" && token.value !== undefined) {
      throw new ChoiceError(`${token.rawName} takes no value: it has "${token.value}".`);
    }
  }
  const [folder, surplus] = positionals;
  if (surplus !== undefined) throw new ChoiceError(`Unexpected argument "${surplus}". Name one folder.`);
  if (values.js && values.ts) throw new ChoiceError("--js and --ts cannot be combined.");
  const text = (value: string | boolean | undefined) => (typeof value === "string" ? value : undefined);
  return {
    folder,
    template: text(values.template),
    transports: text(values.transports),
    manager: text(values.manager),
    js: values.js === true ? true : values.ts === true ? false : undefined,
    install: values["no-install"] !== true,
    yes: values.yes === true,
    help: values.help === true,
    version: values.version === true,
  };
}

/** The text of `--help`. */
export function helpText({ templates, transports }: Catalog): string {
  const table = (rows: readonly { readonly name: string; readonly description: string }[]) => {
    const width = Math.max(...rows.map(({ name }) => name.length));
    return rows.map(({ name, description }) => `  ${name.padEnd(width)}  ${description}`).join("\n");
  };
  return `Usage: npm create pipecat-bot [folder] -- [flags]

Creates a voice bot that starts at once, and asks for what no flag says. Default folder: ${defaultFolder}

Flags:
  -t, --template <name>     What to start from. Default: ${templates[0]?.name}
  --transports <names>      How callers reach the bot, separated by commas. Default: webrtc
  --manager <name>          ${managers.join(", ")}. Default: the one that runs this command
  --ts, --js                TypeScript (default) or JavaScript
  --no-install              Do not install the dependencies
  -y, --yes                 Ask nothing, and use the defaults
  -h, --help, --version

Templates:
${table(templates)}

Transports:
${table(transports)}
`;
}

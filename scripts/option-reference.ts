/**
 * Keeps `docs/options.md` equal to the tables of options: those of the command, of the runner, and of this repository's
 * transports. Checks by default and corrects with `--write`.
 */
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { runnerGroup } from "../packages/runner-cli/src/command-line.ts";
import { isSwitch, spelling } from "../packages/runner-cli/src/flags.ts";
import type { OptionDefinition, OptionTable, TransportPlugin } from "../packages/runner-core/src/index.ts";

const root = dirname(import.meta.dirname);
const file = "docs/options.md";

const introduction = `# Flags and environment variables

<!-- Written by scripts/option-reference.ts. -->

Every flag and every environment variable of the runner and its transports. \`pipecat-runner --help\` lists those of the transports
that your project has installed.

- A flag wins over its variable, and a variable over the default. An empty variable counts as not set.
- \`.env\` files in the folder of the bot and in the project's folder fill variables that are not set.
- A switch takes no value. \`--no-<flag>\` turns it off. Its variable takes \`true\`, \`yes\`, \`on\` or \`1\`, and \`false\`, \`no\`, \`off\` or \`0\`.
- A list takes several values after one flag, or one text with commas.
- A misspelled flag and an invalid value stop the start with [\`OPTION_INVALID\`](errors.md#option_invalid).
- \`NO_COLOR=1\` turns off colors in the banner and the log.

A bot can [declare flags of its own](../packages/runner-cli/README.md#flags-of-a-bot).
`;

/** Orders the transports as the README does: those for pages and apps, phones, rooms. */
const order: readonly string[] = [
  "webrtc",
  "websocket",
  "whatsapp",
  "twilio",
  "telnyx",
  "plivo",
  "exotel",
  "vonage",
  "daily",
  "livekit",
];

async function readTransports() {
  const folders = globSync("packages/*/package.json", { cwd: root })
    .filter((manifest) => JSON.parse(readFileSync(join(root, manifest), "utf8")).pipecatRunner !== undefined)
    .map(dirname);
  const plugins = folders.map(async (folder) => {
    const { default: plugin } = (await import(join(root, folder, "src/plugin.ts"))) as {
      readonly default: TransportPlugin;
    };
    const { name } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as { readonly name: string };
    return { folder, package: name, name: plugin.name, table: plugin.options ?? {} };
  });
  return (await Promise.all(plugins)).sort((a, b) => rank(a.name) - rank(b.name) || (a.name < b.name ? -1 : 1));
}

function rank(name: string): number {
  return order.includes(name) ? order.indexOf(name) : order.length;
}

function tableText(table: OptionTable<Readonly<Record<string, unknown>>>): string {
  const rows = Object.values<OptionDefinition>(table).map((definition) => {
    const { flag, env = [], default: value, description } = definition;
    const hasDefault = value !== undefined && String(value) !== "" && !(isSwitch(definition) && value === false);
    const cells = [
      flag === undefined ? "" : code(spelling(definition)),
      [env].flat().map(code).join(", "),
      hasDefault ? code(String(value)) : "",
      description.replaceAll("|", "\\|").replace(/\S*<\w+>|--[a-z][a-z-]*/g, "`$&`"),
    ];
    return `| ${cells.join(" | ")} |`;
  });
  return `| flag | variable | default | meaning |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}

const transports = (await readTransports()).map(
  ({ folder, package: name, name: transport, table }) =>
    `## \`${transport}\`\n\nPackage: [\`${name}\`](../${folder}/README.md)\n\n${
      Object.keys(table).length === 0 ? "No options of its own.\n" : tableText(table)
    }`,
);
const content = [introduction, `## The runner\n\n${tableText(runnerGroup.table)}`, ...transports].join("\n");

const path = join(root, file);
if (process.argv.includes("--write")) writeFileSync(path, content);
else if (!existsSync(path) || readFileSync(path, "utf8") !== content) {
  console.error(`${file} is outdated. Run: pnpm format`);
  process.exit(1);
}
console.log("options: the reference lists the flags and variables of all tables");

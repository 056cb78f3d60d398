import { inspect } from "node:util";
import { type OptionDefinition, type OptionTable, optionLabel, RunnerError } from "@pipecat-ts/runner-core";
import * as Type from "typebox";

/** The options of one owner: the runner itself, the bot, or a transport. */
export interface FlagGroup {
  /** Its heading in `--help`. */
  readonly name: string;
  readonly table: OptionTable<Readonly<Record<string, unknown>>>;
}

/** The settings of the command itself. The host declares those of the server. */
export interface CommandFlags {
  readonly direct: boolean;
  readonly open: boolean;
  readonly tunnel: boolean;
  readonly runnerBody: string | undefined;
  readonly uploadsFolder: string | undefined;
  readonly uploadsFolderMaxFiles: number;
  readonly capture: string | undefined;
  readonly captureMedia: boolean;
  readonly captureMaxFiles: number;
  readonly watch: boolean;
  readonly verbose: boolean;
  readonly version: boolean;
  readonly help: boolean;
}

export const commandFlags: OptionTable<CommandFlags> = {
  direct: {
    flag: "direct",
    short: "d",
    description: "Run one bot without a server, until it ends, on a transport that supports it",
    schema: Type.Boolean(),
    default: false,
  },
  open: { flag: "open", description: "Open the web client in the browser", schema: Type.Boolean(), default: false },
  tunnel: {
    flag: "tunnel",
    description: "Start cloudflared or ngrok, whichever is installed, and use its URL as the public URL",
    schema: Type.Boolean(),
    default: false,
  },
  runnerBody: {
    flag: "runner-body",
    description: "YAML or JSON file with the body for callers that send none",
    schema: Type.String({ minLength: 1 }),
    placeholder: "file",
  },
  uploadsFolder: {
    flag: "uploads-folder",
    short: "u",
    env: "PIPECAT_UPLOADS_FOLDER",
    description: "Folder for files that callers upload to /files (default: no uploads)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "path",
  },
  uploadsFolderMaxFiles: {
    flag: "uploads-folder-max-files",
    default: 10,
    description: "Files to keep in the uploads folder, the oldest are deleted; 0 for no limit",
    schema: Type.Integer({ minimum: 0 }),
    placeholder: "count",
  },
  capture: {
    flag: "capture",
    description:
      "Folder for a file per call with its messages, for pipecat-runner replay; without secrets, numbers and audio",
    schema: Type.String({ minLength: 1 }),
    placeholder: "folder",
  },
  captureMedia: {
    flag: "capture-audio",
    description: "Captures contain the audio and pictures of the call too",
    schema: Type.Boolean(),
    default: false,
  },
  captureMaxFiles: {
    flag: "capture-max-files",
    default: 100,
    description: "Captures to keep, the oldest are deleted; 0 for no limit",
    schema: Type.Integer({ minimum: 0 }),
    placeholder: "count",
  },
  watch: {
    flag: "watch",
    description: "Run changed code of the bot in new sessions; live sessions continue with the old code",
    schema: Type.Boolean(),
    default: false,
  },
  verbose: {
    flag: "verbose",
    short: "v",
    description: "Log debug lines and show the stacks of errors",
    schema: Type.Boolean(),
    default: false,
  },
  version: { flag: "version", description: "Print the version", schema: Type.Boolean(), default: false },
  help: { flag: "help", short: "h", description: "Print this help", schema: Type.Boolean(), default: false },
};

/** Flags that say how another one works. */
const dependentFlags: Partial<Readonly<Record<keyof CommandFlags, keyof CommandFlags>>> = {
  captureMedia: "capture",
  captureMaxFiles: "capture",
  uploadsFolderMaxFiles: "uploadsFolder",
};

/** Throws OPTION_INVALID for a flag that has no effect without another one. `given` are the flags that were given. */
export function requireOtherFlags(flags: CommandFlags, given: Readonly<Record<string, unknown>>): void {
  for (const [name, other] of Object.entries(dependentFlags)) {
    if (!given[name] || flags[other] !== undefined) continue;
    const [flag, missing] = [commandFlags[name as keyof CommandFlags], commandFlags[other]];
    throw new RunnerError("OPTION_INVALID", `--${flag.flag} has no effect without --${missing.flag}.`, {
      fix: `Add --${missing.flag} <${missing.placeholder}>, or omit --${flag.flag}.`,
    });
  }
}

/** An option that has a flag. */
export interface Flag {
  readonly group: string;
  readonly option: string;
  readonly definition: OptionDefinition;
  /** The flag in camelCase: `maxSessions`. */
  readonly key: string;
}

/** The options of these groups that have a flag. */
export function flagsOf(groups: readonly FlagGroup[]): readonly Flag[] {
  return groups.flatMap(({ name: group, table }) =>
    Object.entries<OptionDefinition>(table).flatMap(([option, definition]) => {
      const { flag } = definition;
      return flag === undefined ? [] : [{ group, option, definition, key: camelCase(flag) }];
    }),
  );
}

/** `max-sessions` in camelCase, as cac names it: `maxSessions`. */
export function camelCase(flag: string): string {
  return flag.replace(/([a-z])-([a-z])/g, (_, before: string, after: string) => before + after.toUpperCase());
}

/** `maxSessions` as a flag: `max-sessions`. */
export function kebabCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Whether a flag takes no value. */
export function isSwitch({ schema }: Pick<OptionDefinition, "schema">): boolean {
  return typeOf(schema) === "boolean";
}

/** Whether a flag may be repeated to add items. */
export function isList({ schema }: Pick<OptionDefinition, "schema">): boolean {
  return typeOf(schema) === "array";
}

function typeOf(schema: OptionDefinition["schema"]): unknown {
  return (schema as { readonly type?: unknown }).type;
}

/** A flag as cac and people write it: `-t, --transport <name>`. */
export function spelling(definition: OptionDefinition): string {
  const { flag, short, placeholder = "value" } = definition;
  const value = isSwitch(definition) ? "" : ` <${placeholder}>`;
  return `${short === undefined ? "" : `-${short}, `}--${flag}${value}`;
}

/** The flags and environment variables that a bot declares. */
export type BotOptions = OptionTable<Readonly<Record<string, unknown>>>;

/**
 * Checks the `options` that a bot's file or the project's config exports; `where` names the file. Throws BOT_INVALID when
 * they are not a table of options, or use a flag of `others`.
 */
export function checkBotOptions(options: unknown, where: string, others: readonly FlagGroup[]): BotOptions {
  if (options === undefined) return {};
  const fix = 'Write: export const options = { mood: { flag: "mood", description: "…", schema: { type: "string" } } };';
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new RunnerError("BOT_INVALID", `"options" in ${where} is ${inspect(options)}, not a table of options.`, {
      fix,
    });
  }
  const taken = new Set(flagsOf(others).map(({ definition }) => definition.flag));
  for (const [name, definition] of Object.entries(options as BotOptions)) {
    const { flag, description, schema } = Object(definition);
    const isFlag = flag === undefined || (typeof flag === "string" && /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(flag));
    if (!isFlag || typeof description !== "string" || typeof schema !== "object" || schema === null) {
      throw new RunnerError(
        "BOT_INVALID",
        `The option "${name}" in ${where} needs a lower-case flag, a description and a schema.`,
        { fix },
      );
    }
    if (!taken.has(flag)) continue;
    throw new RunnerError("BOT_INVALID", `The option "${name}" in ${where} uses --${flag}, which is taken.`, {
      fix: "Choose another flag.",
    });
  }
  return options as BotOptions;
}

/** A required option without a value. */
export interface MissingOption {
  /** How to set it: `--mood or BOT_MOOD`. */
  readonly label: string;
  readonly description: string;
  readonly flag: string | undefined;
  /** Its environment variable. */
  readonly env: string | undefined;
}

/** How to set a required option. `envFile`: the path of the project's `.env`, as shown to the user. */
export function setOptionFix({ flag, env }: MissingOption, envFile: string): string {
  return env === undefined ? `Start with --${flag}\u00a0<value>.` : `Add ${env}=<value> to ${envFile}.`;
}

/** The required options of a table that have no value. */
export function missingOptions(table: BotOptions, values: Readonly<Record<string, unknown>>): readonly MissingOption[] {
  return Object.entries(table).flatMap(([option, definition]) => {
    if (!definition.required || values[option] !== undefined) return [];
    const { description, flag, env } = definition;
    return [{ label: optionLabel(option, definition), description, flag, env: [env].flat()[0] }];
  });
}

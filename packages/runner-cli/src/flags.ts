import { type OptionDefinition, type OptionTable, RunnerError } from "@pipecat-ts/runner-core";
import Type from "typebox";
import { closest } from "./closest.ts";

/** The options of one owner: the runner itself, or a transport. */
export interface FlagGroup {
  readonly name: string;
  readonly table: OptionTable<Readonly<Record<string, unknown>>>;
}

/** The command line's own settings; the server's are the host's. */
export interface CommandFlags {
  readonly direct: boolean;
  readonly open: boolean;
  readonly runnerBody: string | undefined;
  readonly watch: boolean;
  readonly verbose: boolean;
  readonly version: boolean;
  readonly help: boolean;
}

export const commandFlags: OptionTable<CommandFlags> = {
  direct: {
    flag: "direct",
    short: "d",
    description: "Run one bot without a server, on a transport that needs none, until it ends",
    schema: Type.Boolean(),
    default: false,
  },
  open: { flag: "open", description: "Open the web client in the browser", schema: Type.Boolean(), default: false },
  runnerBody: {
    flag: "runner-body",
    description: "JSON file that is the body of callers who bring none",
    schema: Type.String({ minLength: 1 }),
    placeholder: "file",
  },
  watch: {
    flag: "watch",
    description: "Run new sessions on the bot's changed code; live ones keep theirs",
    schema: Type.Boolean(),
    default: false,
  },
  verbose: {
    flag: "verbose",
    short: "v",
    description: "Log more, and show where errors come from",
    schema: Type.Boolean(),
    default: false,
  },
  version: { flag: "version", description: "Print the version", schema: Type.Boolean(), default: false },
  help: { flag: "help", short: "h", description: "Print this help", schema: Type.Boolean(), default: false },
};

/** The options of a table that have a flag. */
export function flagsOf(table: FlagGroup["table"]): readonly (readonly [option: string, OptionDefinition])[] {
  return Object.entries<OptionDefinition>(table).filter(([, { flag }]) => flag !== undefined);
}

/** Whether a flag stands alone, without a value. */
export function isSwitch(definition: OptionDefinition): boolean {
  return typeOf(definition) === "boolean";
}

/** A flag as cac and people write it: `-t, --transport <name>`. */
export function spelling({ flag, short, placeholder = "value", ...rest }: OptionDefinition): string {
  const value = isSwitch(rest) ? "" : ` <${placeholder}>`;
  return `${short === undefined ? "" : `-${short}, `}--${flag}${value}`;
}

/** `max-sessions` as code names it: `maxSessions`. */
export function camelCase(flag: string): string {
  return flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** What was given for a flag, as `resolveOptions` takes it. A flag given twice counts the second time; lists are joined. */
export function givenValue(definition: OptionDefinition, raw: unknown): unknown {
  const values = [raw].flat();
  const last = values.at(-1);
  if (isSwitch(definition)) return last;
  if (values.some((value) => typeof value === "boolean")) {
    throw new RunnerError("OPTION_INVALID", `--${definition.flag} was given no value.`, {
      fix: `Write ${spelling(definition).split(", ").at(-1)}.`,
    });
  }
  return typeOf(definition) === "array" ? values.join(",") : last;
}

/** The error for a flag nobody knows: it names the one that was probably meant. */
export function unknownFlag(name: string, known: readonly string[]): RunnerError {
  const meant = closest(name.replace(/^-+/, ""), known);
  return new RunnerError("OPTION_INVALID", `There is no flag ${name}.`, {
    fix: meant === undefined ? "See pipecat-runner --help." : `Did you mean --${meant}?`,
  });
}

function typeOf(definition: Pick<OptionDefinition, "schema">): unknown {
  return (definition.schema as { readonly type?: unknown }).type;
}

import * as clack from "@clack/prompts";
import { type Choices, type Manager, managers } from "./choices.ts";
import type { Catalog, Language, Template, TransportChoice } from "./templates.ts";

/** What the flags have decided. */
export interface Given extends Partial<Choices> {
  readonly folder?: string | undefined;
}

/** The user has pressed Ctrl+C. */
export class CancelledError extends Error {}

const docs = "https://github.com/pipecat-ts/pipecat-runner";

/** The folder when the user names none. */
export const defaultFolder = "pipecat-bot";

/** Where questions appear and answers come from. Default: the streams of this process. */
export type Terminal = Pick<clack.TextOptions, "input" | "output">;

/** Asks for what `given` leaves open. `problemOf`: why the project cannot be created in a folder. Throws a CancelledError. */
export async function ask(
  given: Given,
  catalog: Catalog,
  manager: Manager,
  terminal: Terminal,
  problemOf: (folder: string) => string | undefined,
): Promise<Omit<Choices, "name"> & { readonly folder: string }> {
  const folder = given.folder ?? (await askFolder(terminal, problemOf));
  const template = given.template ?? (await askTemplate(catalog, terminal));
  return {
    folder,
    template,
    transports: given.transports ?? (template.kind === "bot" ? await askTransports(catalog, terminal) : []),
    language: given.language ?? (await askLanguage(terminal)),
    manager: given.manager ?? (await askManager(manager, terminal)),
  };
}

async function askFolder(terminal: Terminal, problemOf: (folder: string) => string | undefined): Promise<string> {
  return answered(
    await clack.text({
      ...terminal,
      message: "Folder of the new project",
      placeholder: defaultFolder,
      defaultValue: defaultFolder,
      validate: (value) => problemOf(value || defaultFolder),
    }),
  );
}

async function askTemplate({ templates }: Catalog, terminal: Terminal): Promise<Template> {
  const options = templates.map((template) => ({ value: template, label: template.name, hint: template.description }));
  return answered(await clack.select<Template>({ ...terminal, message: "Template", options }));
}

async function askTransports({ transports }: Catalog, terminal: Terminal): Promise<readonly TransportChoice[]> {
  const options = transports.map((value) => ({ value, label: value.name, hint: value.description }));
  return answered(
    await clack.multiselect<TransportChoice>({
      ...terminal,
      message: "How callers reach the bot",
      options,
      initialValues: transports.slice(0, 1),
      required: true,
    }),
  );
}

async function askLanguage(terminal: Terminal): Promise<Language> {
  return answered(
    await clack.select<Language>({
      ...terminal,
      message: "Language",
      options: [
        { value: "ts", label: "TypeScript", hint: "Node runs it without a build" },
        { value: "js", label: "JavaScript" },
      ],
    }),
  );
}

async function askManager(initialValue: Manager, terminal: Terminal): Promise<Manager> {
  const options = managers.map((value) => ({ value, label: value }));
  return answered(await clack.select<Manager>({ ...terminal, message: "Package manager", options, initialValue }));
}

function answered<T>(answer: T): Exclude<T, symbol> {
  if (typeof answer === "symbol") throw new CancelledError("Nothing was created.");
  return answer as Exclude<T, symbol>;
}

/** Prints what to do next. */
export function printNextSteps(steps: readonly string[]): void {
  clack.note(steps.join("\n"), "Next");
  clack.outro(`Documentation: ${docs}`);
}

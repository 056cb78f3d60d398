import * as clack from "@clack/prompts";
import { type Choices, type Manager, managers, problemOfName } from "./choices.ts";
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

/** Asks for what `given` leaves open. Throws a CancelledError. */
export async function ask(
  given: Given,
  catalog: Catalog,
  manager: Manager,
): Promise<Omit<Choices, "name"> & { readonly folder: string }> {
  const folder = given.folder ?? (await askFolder());
  const template = given.template ?? (await askTemplate(catalog));
  return {
    folder,
    template,
    transports: given.transports ?? (template.kind === "bot" ? await askTransports(catalog) : []),
    language: given.language ?? (await askLanguage()),
    manager: given.manager ?? (await askManager(manager)),
  };
}

async function askFolder(): Promise<string> {
  return answered(
    await clack.text({
      message: "Folder of the new project",
      placeholder: defaultFolder,
      defaultValue: defaultFolder,
      validate: (value) => (value ? problemOfName(value.split(/[\\/]/).at(-1) ?? "") : undefined),
    }),
  );
}

async function askTemplate({ templates }: Catalog): Promise<Template> {
  const options = templates.map((template) => ({ value: template, label: template.name, hint: template.description }));
  return answered(await clack.select<Template>({ message: "Template", options }));
}

async function askTransports({ transports }: Catalog): Promise<readonly TransportChoice[]> {
  const options = transports.map((value) => ({ value, label: value.name, hint: value.description }));
  return answered(
    await clack.multiselect<TransportChoice>({
      message: "How callers reach the bot",
      options,
      initialValues: transports.slice(0, 1),
      required: true,
    }),
  );
}

async function askLanguage(): Promise<Language> {
  return answered(
    await clack.select<Language>({
      message: "Language",
      options: [
        { value: "ts", label: "TypeScript", hint: "Node runs it without a build" },
        { value: "js", label: "JavaScript" },
      ],
    }),
  );
}

async function askManager(initialValue: Manager): Promise<Manager> {
  const options = managers.map((value) => ({ value, label: value }));
  return answered(await clack.select<Manager>({ message: "Package manager", options, initialValue }));
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

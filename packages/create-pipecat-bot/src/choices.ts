import { closest } from "../../runner-core/src/closest.ts"; // bundled, so that this package installs in a moment
import type { Catalog, Language, Template, TransportChoice } from "./templates.ts";

/** The package managers. */
export const managers = ["npm", "pnpm"] as const;
export type Manager = (typeof managers)[number];

/** What the user has chosen. */
export interface Choices {
  /** The name of the package. */
  readonly name: string;
  readonly template: Template;
  /** The transports of a bot. */
  readonly transports: readonly TransportChoice[];
  readonly manager: Manager;
  readonly language: Language;
}

/** An input that cannot be used. Its message says what happened and how to fix it. */
export class ChoiceError extends Error {}

/** Throws a ChoiceError unless npm accepts `name` for a new package. */
export function checkName(name: string): void {
  const problem = problemOfName(name);
  if (problem !== undefined) throw new ChoiceError(problem);
}

/** Why npm does not accept `name` for a new package; `undefined` when it does. */
function problemOfName(name: string): string | undefined {
  if (/^[a-z0-9][a-z0-9._-]*$/.test(name) && name.length <= 214 && name !== "node_modules") return undefined;
  const proposal = name
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+|-+$/g, "");
  const rule = `"${name}" cannot be the name of a package. Use lower-case letters, digits, "-", "_" and ".".`;
  return proposal === "" || proposal === "node_modules" ? rule : `${rule} For example: ${proposal}`;
}

export function findTemplate(name: string, { templates }: Catalog): Template {
  const names = templates.map((template) => template.name);
  return find(name, "template", names, templates);
}

/** The transports of a comma-separated list. */
export function findTransports(list: string, { transports }: Catalog): readonly TransportChoice[] {
  const names = list
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) {
    throw new ChoiceError(
      `--transports names no transport. Choose from: ${transports.map(({ name }) => name).join(", ")}`,
    );
  }
  const known = transports.map(({ name }) => name);
  return [...new Set(names)].map((name) => find(name, "transport", known, transports));
}

export function findManager(name: string): Manager {
  const manager = managers.find((each) => each === name);
  if (manager === undefined) throw unknown(name, "package manager", managers);
  return manager;
}

/** The package manager that runs this program, from `npm_config_user_agent`: `pnpm/12.1.0 npm/? node/v24.1.0 linux x64`. */
export function currentManager(userAgent = ""): Manager {
  return managers.find((manager) => userAgent.startsWith(`${manager}/`)) ?? "npm";
}

function find<T extends { readonly name: string }>(
  name: string,
  kind: string,
  names: readonly string[],
  all: readonly T[],
): T {
  const found = all.find((each) => each.name === name);
  if (found === undefined) throw unknown(name, kind, names);
  return found;
}

function unknown(name: string, kind: string, known: readonly string[]): ChoiceError {
  const similar = closest(name, known);
  const fix = similar === undefined ? `Choose from: ${known.join(", ")}` : `Did you mean ${similar}?`;
  return new ChoiceError(`"${name}" is not a ${kind}. ${fix}`);
}

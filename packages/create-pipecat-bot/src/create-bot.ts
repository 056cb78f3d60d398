import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import {
  ChoiceError,
  type Choices,
  checkName,
  currentManager,
  findManager,
  findTemplate,
  findTransports,
  type Manager,
} from "./choices.ts";
import { parseCommandLine } from "./command-line.ts";
import { projectFiles } from "./project.ts";
import { commandsOf } from "./project-texts.ts";
import { ask, defaultFolder, type Terminal } from "./prompts.ts";
import { type Catalog, type Files, readCatalog } from "./templates.ts";

/** A project that was created. */
export interface CreatedProject extends Choices {
  /** The absolute path. */
  readonly folder: string;
  /** What to do next, one command or sentence each. */
  readonly nextSteps: readonly string[];
}

/** Where the answers come from. */
export interface Surroundings {
  readonly catalog: Catalog;
  /** Whether it may ask. */
  readonly interactive: boolean;
  /** Where it asks. */
  readonly terminal: Terminal;
  /** The folder that paths are relative to. */
  readonly cwd: string;
  /** `npm_config_user_agent`. */
  readonly userAgent: string | undefined;
}

/**
 * Creates a project as a command line says, and installs its dependencies. Throws a ChoiceError for input that cannot be used;
 * nothing is written then.
 */
export async function createBot(
  argv: readonly string[],
  {
    catalog = readCatalog(),
    interactive = false,
    terminal = {},
    cwd = process.cwd(),
    userAgent,
  }: Partial<Surroundings> = {},
): Promise<CreatedProject> {
  const line = parseCommandLine(argv);
  const template = line.template === undefined ? undefined : findTemplate(line.template, catalog);
  if (template?.kind === "transport" && line.transports !== undefined) {
    throw new ChoiceError("--transports is for bots: the template transport is a transport of your own.");
  }
  const given = {
    folder: line.folder,
    ...(template && { template }),
    ...(line.transports !== undefined && { transports: findTransports(line.transports, catalog) }),
    ...(line.manager !== undefined && { manager: findManager(line.manager) }),
    ...(line.js !== undefined && { language: line.js ? ("js" as const) : ("ts" as const) }),
  };
  if (line.folder !== undefined) checkFolder(resolve(cwd, line.folder), cwd);
  const { folder: path, ...chosen } =
    interactive && !line.yes
      ? await ask(given, catalog, currentManager(userAgent), terminal, (answer) => problemOfFolder(answer, cwd))
      : withDefaults(given, catalog, currentManager(userAgent));
  const folder = resolve(cwd, path);
  checkFolder(folder, cwd);

  const choices: Choices = { ...chosen, name: basename(folder) };
  const files = projectFiles(choices, catalog);
  write(folder, files);
  const installed = line.install && (await install(choices.manager, folder));
  const { install: installCommand, run } = commandsOf(choices.manager);
  const nextSteps = [
    ...(folder === cwd ? [] : [`cd ${quoted(relative(cwd, folder))}`]),
    ...(installed ? [] : [installCommand]),
    ...(files[".env.example"] === undefined ? [] : ["cp .env.example .env   # then add your API keys"]),
    run("start"),
  ];
  return { ...choices, folder, nextSteps };
}

function withDefaults(
  given: Partial<Choices> & { readonly folder?: string | undefined },
  catalog: Catalog,
  current: Manager,
): Omit<Choices, "name"> & { readonly folder: string } {
  const [first] = catalog.templates;
  const { folder = defaultFolder, template = first, language = "ts", manager = current } = given;
  if (template === undefined) throw new ChoiceError("This package has no templates.");
  const { transports = template.kind === "bot" ? catalog.transports.slice(0, 1) : [] } = given;
  return { folder, template, transports, language, manager };
}

/** Throws a ChoiceError unless a project can be created in `folder`. */
function checkFolder(folder: string, cwd: string): void {
  checkName(basename(folder));
  if (!existsSync(folder)) return;
  const shown = relative(cwd, folder) || "This folder";
  let names: readonly string[];
  try {
    names = readdirSync(folder);
  } catch (cause) {
    throw new ChoiceError(`${shown} is not a folder. Choose another name.`, { cause });
  }
  const found = names.filter((name) => name !== ".git");
  if (found.length === 0) return;
  throw new ChoiceError(`${shown} is not empty: it has ${found.slice(0, 3).join(", ")}. Choose another folder.`);
}

/** Why a project cannot be created in a folder; `undefined` when it can. */
function problemOfFolder(path: string, cwd: string): string | undefined {
  try {
    checkFolder(resolve(cwd, path), cwd);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Throws a ChoiceError when the file system rejects a file. */
function write(folder: string, files: Files): void {
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
  } catch (cause) {
    throw new ChoiceError(`The project cannot be written: ${(cause as Error).message}. Choose another folder.`, {
      cause,
    });
  }
}

/** A path for a shell. */
function quoted(path: string): string {
  return /^[\w./\\-]+$/.test(path) ? path : `"${path}"`;
}

/** Installs the dependencies. Returns false when that fails; the package manager has printed why. */
async function install(manager: Manager, folder: string): Promise<boolean> {
  // On Windows, package managers are scripts, which need a shell.
  const child = spawn(manager, ["install"], { cwd: folder, stdio: "inherit", shell: process.platform === "win32" });
  try {
    const [code] = await once(child, "exit");
    return code === 0;
  } catch (error) {
    console.error(`Cannot run ${manager}: ${(error as Error).message}`);
    return false;
  }
}

import { readFileSync } from "node:fs";

/** The languages of a project. */
export type Language = "ts" | "js";

/** The files of a project, by path. */
export type Files = Readonly<Record<string, string>>;

/** What a project can start from. */
export interface Template {
  readonly name: string;
  /** One line for the prompt. */
  readonly description: string;
  /** `transport` is a package with a transport of its own; the others are bots. */
  readonly kind: "bot" | "transport";
  readonly files: Readonly<Record<Language, Files>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** A transport that a bot can use. */
export interface TransportChoice {
  /** As in `args.transport`. */
  readonly name: string;
  readonly package: string;
  readonly description: string;
  /** The transport whose params its bots use, if that is another one. */
  readonly runsAs?: string;
  /** Whether `pipecat-runner call` can call over it. */
  readonly hasCaller?: boolean;
}

/** Everything that a project is made of. `build-templates.ts` collects it from the apps and the documents of the repository. */
export interface Catalog {
  /** The version range of the packages of pipecat-runner. */
  readonly range: string;
  /** The Node versions that these packages support. */
  readonly node: string;
  readonly templates: readonly Template[];
  readonly transports: readonly TransportChoice[];
  /** Packages whose install scripts pnpm must not run. It refuses to install them without a decision. */
  readonly ignoredBuilds: readonly string[];
  /** Versions of the other packages that projects use, by name. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Reads the catalog of the published package. */
export function readCatalog(): Catalog {
  return JSON.parse(readFileSync(new URL("./templates.json", import.meta.url), "utf8")) as Catalog;
}

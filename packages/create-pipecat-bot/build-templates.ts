/**
 * Collects the templates in `dist/templates.json`: the bots from `apps`, and the transport package from
 * `docs/writing-a-transport.md`. Run by `pnpm build`.
 */
import { execFileSync } from "node:child_process";
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { basename, dirname, join } from "node:path";
import type { TransportPlugin } from "@pipecat-ts/runner-core";
import type { Catalog, Files, Template, TransportChoice } from "./src/templates.ts";

const root: string = join(import.meta.dirname, "../..");

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly engines: { readonly node: string };
  readonly pipecatRunner?: { readonly caller?: unknown };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

/** The apps that are templates, and the order of the prompt. */
const bots: readonly string[] = ["realtime", "gemini", "cascade", "echo"];

/** Reads the catalog from the repository. */
export async function collectTemplates(): Promise<Catalog> {
  const { version, engines } = readManifest("packages/runner-cli");
  const { devDependencies = {} } = readManifest(".");
  const testing = readManifest("packages/runner-testing");
  const transports = await collectTransports();
  const packages = new Set(transports.map(({ package: name }) => name));
  const range = `^${version}`;
  return {
    range,
    node: engines.node,
    templates: [...bots.map((name) => botTemplate(name, packages, range)), transportTemplate()],
    transports,
    ignoredBuilds: ignoredBuilds(),
    versions: {
      "@types/node": devDependencies["@types/node"] ?? "",
      typescript: `^${devDependencies.typescript}`,
      vitest: devDependencies.vitest ?? "",
      ws: testing.dependencies?.ws ?? "",
      "@types/ws": testing.dependencies?.["@types/ws"] ?? "",
    },
  };
}

function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;
}

/** The packages with `false` in `allowBuilds` of the repository's pnpm-workspace.yaml, without its own tools. */
function ignoredBuilds(): readonly string[] {
  const text = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8");
  const names = [...text.matchAll(/^ {2}"?([@\w/-]+)"?: false$/gm)].map(([, name = ""]) => name);
  const folders = globSync("packages/*/package.json", { cwd: root }).map(dirname);
  return names.filter((name) => !folders.some((folder) => readManifest(folder).devDependencies?.[name]));
}

/** The transports of the repository, those for browsers first. */
async function collectTransports(): Promise<readonly TransportChoice[]> {
  const folders = globSync("packages/*/package.json", { cwd: root }).map(dirname).sort();
  const choices = folders.map(async (folder) => {
    const { name: packageName, description, pipecatRunner } = readManifest(folder);
    if (pipecatRunner === undefined) return [];
    const { default: plugin } = (await import(join(root, folder, "src/plugin.ts"))) as { default: TransportPlugin };
    const { name, advanced: { rank = 0, runsAs } = {} } = plugin;
    const choice: TransportChoice = {
      name,
      package: packageName,
      description: description.replace(/ for pipecat-runner|\.$/g, ""),
      ...(runsAs !== undefined && { runsAs }),
      ...(pipecatRunner.caller !== undefined && { hasCaller: true }),
    };
    return [{ choice, rank }];
  });
  return (await Promise.all(choices))
    .flat()
    .sort((a, b) => b.rank - a.rank)
    .map(({ choice }) => choice);
}

function botTemplate(name: string, transports: ReadonlySet<string>, range: string): Template {
  const folder = `apps/${name}-bot`;
  const { description, dependencies = {}, devDependencies = {} } = readManifest(folder);
  const sources = globSync(["*.ts", ".env.example"], { cwd: join(root, folder), exclude: ["pipecat-env.d.ts"] }).sort();
  const ts = Object.fromEntries(
    sources.map((file) => [file.replace(".realtime.test.", ".test."), readFileSync(join(root, folder, file), "utf8")]),
  );
  const published = (all: Readonly<Record<string, string>>) =>
    Object.fromEntries(
      Object.entries(all)
        .filter(([dependency]) => !transports.has(dependency))
        .map(([dependency, version]) => [dependency, version.startsWith("workspace:") ? range : version]),
    );
  return {
    name,
    description: description.replace(/\.$/, ""),
    kind: "bot",
    files: { ts, js: toJavaScript(ts) },
    dependencies: published(dependencies),
    devDependencies: published(devDependencies),
  };
}

/** The package that `docs/writing-a-transport.md` builds in its first four sections. */
function transportTemplate(): Template {
  const page = readFileSync(join(root, "docs/writing-a-transport.md"), "utf8");
  const [sections = ""] = page.split("\n## 5.");
  const blocks = [...sections.matchAll(/```ts\n\/\/ (\S+)\n([\s\S]*?)```/g)];
  const ts: Files = {
    ...Object.fromEntries(blocks.map(([, path = "", text = ""]) => [path, text])),
    "bot.ts": readFileSync(join(import.meta.dirname, "transport/bot.ts"), "utf8"),
    "pipecat-runner.config.ts": readFileSync(join(import.meta.dirname, "transport/pipecat-runner.config.ts"), "utf8"),
  };
  return {
    name: "transport",
    description: "A transport package of your own, with the conformance suite",
    kind: "transport",
    files: { ts, js: toJavaScript(ts) },
    dependencies: {},
    devDependencies: {},
  };
}

/** The same files without types. Documentation of types is removed with them. */
function toJavaScript(files: Files): Files {
  return Object.fromEntries(
    Object.entries(files).map(([path, source]) => {
      if (!path.endsWith(".ts")) return [path, source];
      const target = path.replace(/\.ts$/, ".js");
      const undocumented = source.replace(/\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n(?=(?:export )?(?:interface|type) )/g, "");
      const stripped = stripTypeScriptTypes(undocumented).replace(
        /(from|resolve\(|URL\()( ?"\.{1,2}\/[^"]+)\.ts"/g,
        '$1$2.js"',
      );
      return [target, format(stripped, basename(target))];
    }),
  );
}

function format(code: string, name: string): string {
  const biome = join(root, "node_modules/.bin/biome");
  return execFileSync(biome, ["format", `--stdin-file-path=${name}`], { cwd: root, input: code, encoding: "utf8" });
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, "dist");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "templates.json"), JSON.stringify(await collectTemplates()));
}

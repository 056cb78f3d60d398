import type { Choices } from "./choices.ts";
import {
  agentsText,
  dockerfileText,
  dockerignoreText,
  gitignoreText,
  readmeText,
  transportAgentsText,
  transportReadmeText,
  tsconfigText,
} from "./project-texts.ts";
import type { Catalog, Files } from "./templates.ts";

/** All files of a new project, by path. */
export function projectFiles(choices: Choices, catalog: Catalog): Files {
  return choices.template.kind === "transport" ? transportFiles(choices, catalog) : botFiles(choices, catalog);
}

function botFiles(choices: Choices, catalog: Catalog): Files {
  const { name, template, transports, manager, language } = choices;
  const sources = Object.entries(template.files[language]).map(([path, text]) => [
    path,
    withTransports(text, choices, catalog),
  ]);
  const packages = transports.map((transport) => transport.package).sort();
  const typescript = language === "ts";
  return {
    ...Object.fromEntries(sources),
    "package.json": json({
      name,
      version: "0.0.0",
      private: true,
      type: "module",
      engines: { node: catalog.node },
      scripts: {
        start: "pipecat-runner",
        dev: "pipecat-runner --watch",
        // One file at a time, because the tests run in real time.
        test: "vitest run --no-file-parallelism",
        ...(typescript && { types: "pipecat-runner types && tsc" }),
      },
      dependencies: sorted({
        ...template.dependencies,
        ...Object.fromEntries(packages.map((each) => [each, catalog.range])),
      }),
      devDependencies: sorted({
        ...template.devDependencies,
        ...versionsOf(["vitest", ...(typescript ? ["typescript", "@types/node"] : [])], catalog),
      }),
    }),
    ...(typescript && {
      "tsconfig.json": tsconfigText,
      "pipecat-env.d.ts": typeFileText(packages),
    }),
    "README.md": readmeText(choices),
    "AGENTS.md": agentsText(choices),
    Dockerfile: dockerfileText(manager),
    ".dockerignore": dockerignoreText,
    ".gitignore": gitignoreText,
    ...(manager === "pnpm" && { "pnpm-workspace.yaml": pnpmText(catalog) }),
  };
}

/** The text of `pipecat-env.d.ts`, as `pipecat-runner types` writes it. */
function typeFileText(packages: readonly string[]): string {
  const lines = packages.map((name) => `import type {} from "${name}";\n`);
  return `// Written by "pipecat-runner types", and at each start: the types of the transports in package.json.\n${lines.join("")}`;
}

/** Keeps the params of the chosen transports, each on a line of its own, and lets the tests call over the first of them. */
function withTransports(text: string, { transports }: Choices, catalog: Catalog): string {
  const chosen = new Set(transports.map(({ name, runsAs = name }) => runsAs));
  const others = catalog.transports.map(({ name }) => name).filter((name) => !chosen.has(name));
  const params = new RegExp(`^ +(?:${others.join("|")}): audio,\\n`, "gm");
  const [first = "webrtc"] = chosen;
  return text.replace(params, "").replaceAll('transport: "webrtc"', `transport: "${first}"`);
}

function transportFiles(choices: Choices, catalog: Catalog): Files {
  const { name, template, manager, language } = choices;
  const sources = Object.entries(template.files[language]).map(([path, text]) => [path, renamed(text, name)]);
  const typescript = language === "ts";
  const { range } = catalog;
  const built = typescript ? "dist" : "src";
  return {
    ...Object.fromEntries(sources),
    "package.json": json({
      name,
      version: "0.0.0",
      type: "module",
      engines: { node: catalog.node },
      keywords: ["pipecat-runner-transport"],
      pipecatRunner: { plugin: "./plugin" },
      exports: {
        ".": typescript ? { types: "./dist/index.d.ts", default: "./dist/index.js" } : "./src/index.js",
        "./plugin": typescript ? { types: "./dist/plugin.d.ts", default: "./dist/plugin.js" } : "./src/plugin.js",
      },
      files: [built],
      scripts: {
        start: "pipecat-runner",
        ...(typescript && { build: "tsc -p tsconfig.build.json", prepack: "tsc -p tsconfig.build.json", types: "tsc" }),
        test: typescript ? "tsc -p tsconfig.build.json && vitest run" : "vitest run",
      },
      dependencies: { "@pipecat-ts/audio": range },
      peerDependencies: { "@pipecat-ts/runner-core": range },
      devDependencies: sorted({
        "@pipecat-ts/runner-core": range,
        "@pipecat-ts/runner-testing": range,
        "pipecat-runner": range,
        ...versionsOf(["vitest", "ws", ...(typescript ? ["typescript", "@types/node", "@types/ws"] : [])], catalog),
      }),
    }),
    ...(typescript && {
      "tsconfig.json": tsconfigText,
      "tsconfig.build.json": json({
        extends: "./tsconfig.json",
        compilerOptions: { noEmit: false, outDir: "dist", rootDir: "src", declaration: true },
        include: ["src"],
        exclude: ["src/**/*.test.ts"],
      }),
    }),
    "README.md": transportReadmeText(choices, identifierOf(name)),
    "AGENTS.md": transportAgentsText(choices),
    ".gitignore": gitignoreText,
    ...(manager === "pnpm" && { "pnpm-workspace.yaml": pnpmText(catalog) }),
  };
}

/** The guide's transport is named pigeon. */
function renamed(text: string, packageName: string): string {
  const identifier = identifierOf(packageName);
  return text
    .replaceAll("pigeon", identifier)
    .replaceAll("Pigeon", identifier.charAt(0).toUpperCase() + identifier.slice(1));
}

/** The name of the transport in a package: that of the package, without `runner-`. */
function identifierOf(packageName: string): string {
  const words = packageName
    .replace(/^@[^/]+\//, "")
    .replace(/^runner-/, "")
    .split(/[^a-z0-9]+/);
  const pascal = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
  const camel = pascal.charAt(0).toLowerCase() + pascal.slice(1);
  return /^[a-z]/.test(camel) ? camel : `transport${pascal}`;
}

function pnpmText({ ignoredBuilds }: Catalog): string {
  return `allowBuilds:\n${ignoredBuilds.map((name) => `  "${name}": false\n`).join("")}`;
}

function versionsOf(names: readonly string[], { versions }: Catalog): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name) => [name, versions[name] ?? "*"]));
}

function sorted(dependencies: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(dependencies).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

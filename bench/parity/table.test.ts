import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OptionDefinition, TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner, runnerFlags } from "@pipecat-ts/runner-host";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { expect, test } from "vitest";
import { commandFlags } from "../../packages/runner-cli/src/flags.ts";
import { createFileStorage } from "../../packages/runner-files/src/index.ts";
import { fleetFlags } from "../../packages/runner-fleet/src/options.ts";
import { isolationFlags } from "../../packages/runner-gateway/src/options.ts";
import { botSetups, everyBot } from "./bot-requests.ts";
import { setups } from "./requests.ts";
import { hasRow, missingNames, rowsWithoutReason } from "./table.ts";

const root = new URL("../..", import.meta.url).pathname;
const plugins = await Promise.all(
  globSync("packages/*/package.json", { cwd: root })
    .filter((path) => JSON.parse(readFileSync(join(root, path), "utf8")).pipecatRunner)
    .map(async (path): Promise<TransportPlugin> => (await import(join(root, dirname(path), "src/plugin.ts"))).default),
);
const options: readonly OptionDefinition[] = [
  runnerFlags,
  commandFlags,
  isolationFlags,
  fleetFlags,
  ...plugins.map((plugin) => plugin.options ?? {}),
].flatMap((table) => Object.values(table));

test("docs/parity.md has every flag", () => {
  const flags = options.flatMap(({ flag }) => (flag === undefined ? [] : [`--${flag}`]));
  expect(flags.length).toBeGreaterThan(60);
  expect(missingNames(flags)).toEqual([]);
});

test("docs/parity.md has every environment variable", () => {
  const variables = options.flatMap(({ env = [] }) => env);
  expect(variables.length).toBeGreaterThan(50);
  expect(missingNames(variables)).toEqual([]);
});

test("docs/parity.md has every route", async () => {
  const runner = createRunner({
    bot: () => undefined,
    plugins,
    port: 0,
    env: {},
    fileStorage: createFileStorage({ folder: "unused" }),
    downloadsFolder: root,
    logger: createRecordingLogger(),
  });
  await runner.listen();
  const document = (await (await fetch(new URL("/openapi.json", runner.url))).json()) as { readonly paths: object };
  await runner.close();
  const carriers = plugins.map(({ name }) => `/${name}`);
  const paths = Object.keys(document.paths).map((path) => {
    const carrier = carriers.find((name) => path === name || path.startsWith(`${name}/`));
    if (carrier !== undefined && carrier !== "/daily") return path.replace(carrier, "/{carrier}");
    return path.replace("{sessionId}", "{id}").replace("{credential}", "{token}");
  });
  expect(paths.length).toBeGreaterThan(20);
  expect(missingNames(paths)).toEqual([]);
});

test("docs/parity.md gives a reason for everything that is not here", () => {
  expect(rowsWithoutReason()).toEqual([]);
});

test("docs/parity.md has a row for each difference that pnpm parity expects", () => {
  const servers = { daily: { url: "", key: "" }, livekit: { url: "", apiKey: "", apiSecret: "" } };
  const requests = [...setups, ...botSetups(servers)].flatMap((setup) => setup.requests);
  const differences = requests.flatMap(({ differs, bot = {} }) => [
    ...(differs ? [differs] : []),
    ...Object.values(bot),
  ]);
  const expected = [...differences, ...Object.values(everyBot)].map(([, , row]) => row);
  expect(expected.length).toBeGreaterThan(80);
  expect(expected.filter((row) => !hasRow(row))).toEqual([]);
});

import { existsSync } from "node:fs";
import { join } from "node:path";
import { RunnerError, type TransportPlugin } from "@pipecat-ts/runner-core";
import type { BotOptions } from "./bot-options.ts";
import { importModule } from "./import-module.ts";
import { shownPath } from "./project.ts";

/** What `pipecat-runner.config.ts` exports as its default, for projects that choose their transports or have flags of their own. */
export interface RunnerConfig {
  /** The transports, in place of those found among the project's dependencies. */
  readonly plugins?: readonly TransportPlugin[];
  /** Flags and environment variables of the project's bots, as a bot's file may export them by `options`. */
  readonly options?: BotOptions;
}

const names: readonly string[] = ["ts", "mts", "js", "mjs"].map((ending) => `pipecat-runner.config.${ending}`);

/** The config of a project folder; `undefined` when it has none. Throws BOT_INVALID for one that is broken. */
export async function readConfig(folder: string): Promise<RunnerConfig | undefined> {
  const file = names.map((name) => join(folder, name)).find((path) => existsSync(path));
  if (file === undefined) return undefined;
  const { default: config } = await importModule(file);
  const { plugins, options, ...others } = Object(config);
  const [other] = Object.keys(others);
  const isSound = plugins === undefined ? options !== undefined : Array.isArray(plugins);
  if (isSound && other === undefined) return { plugins, options };
  const fault = other === undefined ? 'has no list "plugins" in its default export' : `has an unknown key "${other}"`;
  throw new RunnerError("BOT_INVALID", `${shownPath(file)} ${fault}.`, {
    fix: "Write: export default { plugins: [ … ], options: { … } }, of which one may be left out",
  });
}

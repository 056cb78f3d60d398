import {
  isRunnerError,
  type Logger,
  type RunnerContext,
  RunnerError,
  resolveOptions,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import { findTransport, isStartable } from "./choose-transport.ts";
import { settledWithin } from "./deadline.ts";
import type { InstalledTransport } from "./installed-transport.ts";

/** How long a plugin may take to close. */
export const pluginCloseMs = 2_000;

export interface OpenPluginsOptions {
  readonly plugins: readonly TransportPlugin[];
  readonly pluginOptions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  contextFor(plugin: TransportPlugin): RunnerContext;
}

/**
 * Opens the plugins that can run, in order of rank. One that cannot is unavailable, with the reason, and the rest go on.
 * When the runner is restricted to one transport, the others are not even checked, except those that nobody chooses.
 * Rejects, with everything closed again, with PLUGIN_INVALID, OPTION_INVALID, or when the one transport it is restricted
 * to is TRANSPORT_UNKNOWN or TRANSPORT_UNAVAILABLE.
 */
export async function openPlugins(options: OpenPluginsOptions, restrictedTo?: string): Promise<InstalledTransport[]> {
  const plugins = options.plugins.toSorted((a, b) => (b.rank ?? 0) - (a.rank ?? 0));
  refuseInvalidPlugins(plugins);
  refuseUnknownOptions(plugins, options.pluginOptions);
  if (restrictedTo !== undefined) findTransport(restrictedTo, plugins.map(notOpened));
  const transports: InstalledTransport[] = [];
  try {
    for (const plugin of plugins) {
      const excluded = restrictedTo !== undefined && plugin.selectable !== false && plugin.name !== restrictedTo;
      const transport = excluded ? exclude(plugin, restrictedTo) : await openPlugin(plugin, options);
      transports.push(transport);
      const { name, availability } = transport;
      if (name !== restrictedTo || availability.state !== "unavailable") continue;
      throw new RunnerError("TRANSPORT_UNAVAILABLE", `"${name}" cannot be used here: ${availability.reason}`, {
        fix: availability.fix,
      });
    }
  } catch (error) {
    await closePlugins(transports, options.logger);
    throw error;
  }
  return transports;
}

/** Closes them all at once, each within 2 s. Never rejects: what fails is logged. */
export async function closePlugins(transports: readonly InstalledTransport[], logger: Logger): Promise<void> {
  await Promise.all(
    transports.map(async ({ name, open }) => {
      const closing = (async () => open?.close())().catch((err: unknown) => {
        logger.error({ err, transport: name }, "the transport failed to close");
      });
      if (await settledWithin(pluginCloseMs, closing)) return;
      logger.error({ transport: name }, `the transport is not closed after ${pluginCloseMs / 1000} s`);
    }),
  );
}

async function openPlugin(plugin: TransportPlugin, options: OpenPluginsOptions): Promise<InstalledTransport> {
  const { name } = plugin;
  const given = options.pluginOptions[name] ?? {};
  const settings = resolveOptions(plugin.options ?? {}, { given, env: options.env });
  const context = options.contextFor(plugin);
  try {
    const availability = (await plugin.check?.(settings, context.settings)) ?? { state: "ready" };
    if (availability.state === "unavailable") return { ...notOpened(plugin), availability };
    const open = await plugin.open(context, settings);
    const startable = isStartable(open);
    return { ...notOpened(plugin), availability, open, selectable: startable };
  } catch (err) {
    // A setting that is wrong is for the operator to mend, not to be worked around; here it was found by the plugin itself.
    if (isRunnerError(err) && err.code === "OPTION_INVALID") throw err;
    options.logger.error({ err, transport: name }, "the transport could not be opened");
    const reason = err instanceof Error ? err.message : String(err);
    const fix = (isRunnerError(err) && err.fix) || "Its log line says where it failed.";
    return { ...notOpened(plugin), availability: { state: "unavailable", reason, fix } };
  }
}

function notOpened(plugin: TransportPlugin): InstalledTransport {
  return {
    name: plugin.name,
    availability: { state: "ready" },
    choosable: plugin.selectable !== false,
    excluded: false,
    selectable: false,
    open: undefined,
  };
}

function exclude(plugin: TransportPlugin, restrictedTo: string | undefined): InstalledTransport {
  const reason = `This runner is restricted to "${restrictedTo}".`;
  const availability = { state: "unavailable", reason, fix: "Start it without --transport." } as const;
  return { ...notOpened(plugin), availability, excluded: true };
}

function refuseInvalidPlugins(plugins: readonly TransportPlugin[]): void {
  const names = new Set<string>();
  for (const plugin of plugins) {
    if (typeof plugin?.name !== "string" || plugin.name === "" || typeof plugin.open !== "function") {
      throw new RunnerError("PLUGIN_INVALID", "One of the runner's plugins is no transport plugin.", {
        fix: "Give the objects that transport packages export: {name, open, …}.",
      });
    }
    if (names.has(plugin.name)) {
      throw new RunnerError("PLUGIN_INVALID", `Two of the runner's plugins are called "${plugin.name}".`, {
        fix: "Give each transport once.",
      });
    }
    names.add(plugin.name);
  }
}

function refuseUnknownOptions(
  plugins: readonly TransportPlugin[],
  pluginOptions: OpenPluginsOptions["pluginOptions"],
): void {
  for (const [name, given] of Object.entries(pluginOptions)) {
    const table = plugins.find((plugin) => plugin.name === name)?.options ?? {};
    const unknown = Object.keys(given).find((option) => !Object.hasOwn(table, option));
    if (unknown === undefined) continue;
    throw new RunnerError("OPTION_INVALID", `pluginOptions gives "${name}" the option "${unknown}", which it lacks.`, {
      fix: `It has: ${Object.keys(table).join(", ") || "none"}.`,
    });
  }
}

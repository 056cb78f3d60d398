import {
  type Availability,
  checkPlugin,
  closest,
  isRunnerError,
  type Logger,
  type OpenTransport,
  type RunnerContext,
  RunnerError,
  resolveOptions,
  type StartBody,
  type TransportPlugin,
  withTimeout,
} from "@pipecat-ts/runner-core";

/** How long a plugin may take to close, in ms. */
const closeMs = 2_000;

/** One plugin of a runner, open or not. */
export interface InstalledTransport {
  readonly plugin: TransportPlugin;
  readonly name: string;
  readonly availability: Availability;
  /** Whether the runner is restricted to another transport. */
  readonly excluded: boolean;
  /** Undefined when it is unavailable. */
  readonly open: OpenTransport | undefined;
}

export interface OpenPluginsOptions {
  readonly plugins: readonly TransportPlugin[];
  readonly pluginOptions: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  contextFor(plugin: TransportPlugin): RunnerContext;
}

/**
 * Opens the plugins that can run, in order of rank. A plugin that cannot run is unavailable, with the reason, and the others
 * open. When the runner is restricted to one transport, the others are not even checked, except those that are always open.
 * Rejects, with everything closed again, with PLUGIN_INVALID or OPTION_INVALID, or when the only allowed transport is
 * TRANSPORT_UNKNOWN or TRANSPORT_UNAVAILABLE.
 */
export async function openPlugins(options: OpenPluginsOptions, restrictedTo?: string): Promise<InstalledTransport[]> {
  const plugins = options.plugins.toSorted((a, b) => (b.advanced?.rank ?? 0) - (a.advanced?.rank ?? 0));
  checkPlugins(plugins);
  checkOptionNames(plugins, options.pluginOptions);
  if (restrictedTo !== undefined) checkTransportName(restrictedTo, plugins);
  const transports: InstalledTransport[] = [];
  try {
    for (const plugin of plugins) {
      const excluded =
        restrictedTo !== undefined && plugin.advanced?.alwaysOpen !== true && plugin.name !== restrictedTo;
      const transport = excluded ? exclude(plugin, restrictedTo) : await openPlugin(plugin, options);
      transports.push(transport);
      const { name, availability } = transport;
      if (name !== restrictedTo || availability.state !== "unavailable") continue;
      throw new RunnerError("TRANSPORT_UNAVAILABLE", `"${name}" is unavailable: ${availability.reason}`, {
        fix: availability.fix,
      });
    }
  } catch (error) {
    await closePlugins(transports, options.logger);
    throw error;
  }
  return transports;
}

/** Closes all at once, each within 2 s. Never rejects: failures are logged. */
export async function closePlugins(transports: readonly InstalledTransport[], logger: Logger): Promise<void> {
  await Promise.all(
    transports.map(async ({ name, open }) => {
      const closing = (async () => await open?.close?.())().catch((err: unknown) => {
        logger.error({ err, transport: name }, "transport failed to close");
      });
      if (await withTimeout(closing, closeMs)) return;
      logger.error({ transport: name, afterMs: closeMs }, "transport did not close in time");
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
    return { ...notOpened(plugin), availability, open: await plugin.open(context, settings) };
  } catch (err) {
    // A wrong setting stops the start: the operator has to fix it.
    if (isRunnerError(err) && err.code === "OPTION_INVALID") throw err;
    options.logger.error({ err, transport: name }, "transport failed to open");
    const reason = err instanceof Error ? err.message : String(err);
    const fix = (isRunnerError(err) && err.fix) || "See its log line.";
    return { ...notOpened(plugin), availability: { state: "unavailable", reason, fix } };
  }
}

function notOpened(plugin: TransportPlugin): InstalledTransport {
  return { plugin, name: plugin.name, availability: { state: "ready" }, excluded: false, open: undefined };
}

function exclude(plugin: TransportPlugin, restrictedTo: string | undefined): InstalledTransport {
  const reason = `This runner is restricted to "${restrictedTo}".`;
  const availability = { state: "unavailable", reason, fix: "Start it without --transport." } as const;
  return { ...notOpened(plugin), availability, excluded: true };
}

function checkPlugins(plugins: readonly TransportPlugin[]): void {
  const names = new Set<string>();
  plugins.forEach((plugin, index) => {
    checkPlugin(plugin, `plugins[${index}]`);
    if (names.has(plugin.name)) {
      throw new RunnerError("PLUGIN_INVALID", `Two of the runner's plugins have the name "${plugin.name}".`, {
        fix: "Pass each transport once.",
      });
    }
    names.add(plugin.name);
  });
}

function checkOptionNames(
  plugins: readonly TransportPlugin[],
  pluginOptions: OpenPluginsOptions["pluginOptions"],
): void {
  for (const [name, given] of Object.entries(pluginOptions)) {
    const table = plugins.find((plugin) => plugin.name === name)?.options ?? {};
    const unknown = Object.keys(given).find((option) => !Object.hasOwn(table, option));
    if (unknown === undefined) continue;
    throw new RunnerError("OPTION_INVALID", `pluginOptions: "${name}" does not have the option "${unknown}".`, {
      fix: `Its options: ${Object.keys(table).join(", ") || "none"}.`,
    });
  }
}

/** A transport that `/start` can start sessions on. */
export type StartableTransport = OpenTransport & Required<Pick<OpenTransport, "start">>;

/** Whether `/start` can choose a transport now. */
export function isStartable({ open }: InstalledTransport): boolean {
  return open?.start !== undefined;
}

/** Whether a start request or `--transport` may name this transport, whether it runs or not. */
function isNameable({ plugin }: InstalledTransport): boolean {
  return plugin.advanced?.alwaysOpen !== true;
}

/**
 * The transport of a start request: the one that it names, else the one that claims it, else the first of `transports`, which
 * are in order of rank. Throws TRANSPORT_UNKNOWN, TRANSPORT_EXCLUDED or TRANSPORT_UNAVAILABLE, and lists what is installed, and
 * DIAL_UNSUPPORTED for a request to call a number over a transport that has no numbers.
 */
export function chooseTransport(
  body: StartBody,
  transports: readonly InstalledTransport[],
  restrictedTo: string | undefined,
): StartableTransport {
  const startable = transports.filter(isStartable);
  const chosen =
    body.transport === undefined
      ? (startable.find(({ open }) => open?.advanced?.claims?.(body)) ?? startable[0])
      : findTransport(body.transport, transports);
  if (!chosen) throw nothingStartable(transports);
  const { name, open, availability, excluded } = chosen;
  if (open?.start) {
    if (body.dial !== undefined && !canDial(chosen)) throw dialUnsupported(name, startable.filter(canDial));
    return open as StartableTransport;
  }
  if (excluded) {
    throw new RunnerError("TRANSPORT_EXCLUDED", `This server accepts only "${restrictedTo}", not "${name}".`, {
      fix: `Start it without --transport. ${installed(transports)}`,
    });
  }
  const { reason, fix } =
    availability.state === "unavailable" ? availability : { reason: "callers cannot start it", fix: "" };
  throw new RunnerError("TRANSPORT_UNAVAILABLE", `"${name}" is unavailable: ${sentence(reason)}`, {
    fix: `${fix} ${installed(transports)}`.trim(),
  });
}

/** Whether a transport takes start requests with `dial`, which call a phone number. */
function canDial({ open }: InstalledTransport): boolean {
  return open?.advanced?.claims?.({ dial: {} }) === true;
}

function dialUnsupported(name: string, others: readonly InstalledTransport[]): RunnerError {
  const names = others.map((other) => `"${other.name}"`).join(" or ");
  return new RunnerError("DIAL_UNSUPPORTED", `"${name}" cannot call phone numbers.`, {
    fix: names === "" ? "Install a phone carrier, or omit dial." : `Name ${names} as transport, or omit dial.`,
  });
}

/**
 * The transport that runs a bot without a server: the one with this name, else the first one that can. Throws TRANSPORT_UNKNOWN
 * or TRANSPORT_UNAVAILABLE.
 */
export function findDirect(transports: readonly InstalledTransport[], name?: string): () => Promise<void> {
  const candidates = name === undefined ? transports : [findTransport(name, transports)];
  for (const { open } of candidates) {
    const direct = open?.advanced?.direct;
    if (direct) return direct;
  }
  const subject = name === undefined ? "None of the installed transports can" : `"${name}" cannot`;
  throw new RunnerError("TRANSPORT_UNAVAILABLE", `${subject} run a bot without a server.`, {
    fix: name === undefined ? "Omit --direct." : "Omit --direct, or --transport.",
  });
}

/** Throws TRANSPORT_UNKNOWN unless a runner with these plugins can be restricted to the transport. */
export function checkTransportName(name: string, plugins: readonly TransportPlugin[]): void {
  findTransport(name, plugins.map(notOpened));
}

/** The installed transport with this name. Throws TRANSPORT_UNKNOWN, which lists what is installed. */
export function findTransport(name: string, transports: readonly InstalledTransport[]): InstalledTransport {
  const named = transports.find((transport) => transport.name === name);
  if (named && isNameable(named)) return named;
  if (named) {
    throw new RunnerError("TRANSPORT_UNKNOWN", `"${name}" is installed, but runs beside every transport.`, {
      fix: `Choose another one, or none. ${installed(transports)}`,
    });
  }
  const names = transports.filter(isNameable).map((transport) => transport.name);
  const similar = closest(name.slice(0, 40), names);
  throw new RunnerError(
    "TRANSPORT_UNKNOWN",
    `The transport ${JSON.stringify(name.slice(0, 40))} is not installed. ${installed(transports)}`,
    { fix: similar === undefined ? installFix : `Did you mean "${similar}"?` },
  );
}

/** Names no package: that one may not exist, or may be anyone's. */
const installFix = "Install its package: https://github.com/pipecat-ts/pipecat-runner#transports lists them.";

function nothingStartable(transports: readonly InstalledTransport[]): RunnerError {
  const broken = transports.flatMap(({ name, availability }) =>
    availability.state === "unavailable" ? [`"${name}": ${sentence(availability.reason)} ${availability.fix}`] : [],
  );
  if (broken.length > 0) {
    return new RunnerError("TRANSPORT_UNAVAILABLE", `All installed transports are unavailable. ${broken.join(" ")}`);
  }
  return new RunnerError("TRANSPORT_UNKNOWN", "No transport that callers can choose is installed.", {
    fix: installFix.replace("its package", "one"),
  });
}

function installed(transports: readonly InstalledTransport[]): string {
  const names = transports.filter(isNameable).map(({ name }) => `"${name}"`);
  return names.length === 0 ? "None is installed." : `Installed: ${names.join(", ")}.`;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

import {
  closest,
  type OptionDefinition,
  type OptionSources,
  type OptionTable,
  optionLabel,
  RunnerError,
  type RunnerSettings,
  resolveOptions,
} from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import { parsePublicUrl } from "./public-url.ts";
import type { AccessOptions, RunnerOptions } from "./runner.ts";

/** The runner's own settings, as flags and environment variables give them. */
export interface RunnerFlags extends AccessOptions {
  readonly host: string;
  readonly port: number;
  readonly transport: string | undefined;
  readonly publicUrl: string | undefined;
  readonly proxy: string | undefined;
  readonly trustProxy: boolean;
  /** 0 without a limit. */
  readonly maxSessions: number;
  /** In seconds; `undefined` without a limit. */
  readonly maxCallDuration: number | undefined;
  /** In seconds. */
  readonly shutdownTimeout: number;
  readonly downloadsFolder: string | undefined;
  readonly folder: string | undefined;
  readonly cloud: boolean;
}

/** The runner's own flags and environment variables. A runner created in code reads neither. */
export const runnerFlags: OptionTable<RunnerFlags> = {
  host: {
    flag: "host",
    env: "PIPECAT_RUNNER_HOST",
    default: "localhost",
    description: "Address to listen on; 0.0.0.0 for all networks",
    schema: Type.String({ minLength: 1 }),
    placeholder: "address",
  },
  port: {
    flag: "port",
    env: "PIPECAT_RUNNER_PORT",
    default: 7860,
    description: "Port to listen on; 0 chooses a free port",
    schema: Type.Integer({ minimum: 0, maximum: 65_535 }),
    placeholder: "port",
  },
  transport: {
    flag: "transport",
    short: "t",
    env: "PIPECAT_RUNNER_TRANSPORT",
    description: "The only transport that callers may use (default: all installed ones)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "name",
  },
  publicUrl: {
    flag: "public-url",
    env: "PIPECAT_RUNNER_PUBLIC_URL",
    description: "URL where callers and phone carriers reach this server; a bare hostname means https",
    schema: Type.String({ minLength: 1 }),
    placeholder: "url",
  },
  proxy: {
    flag: "proxy",
    short: "x",
    description: "Public hostname of a tunnel to this server; same as --public-url https://<hostname>",
    schema: Type.String({ minLength: 1 }),
    placeholder: "hostname",
  },
  trustProxy: {
    flag: "trust-proxy",
    env: "PIPECAT_RUNNER_TRUST_PROXY",
    default: false,
    description: "Trust X-Forwarded-Host and X-Forwarded-Proto; use only behind a proxy that sets them",
    schema: Type.Boolean(),
  },
  maxSessions: {
    flag: "max-sessions",
    env: "PIPECAT_RUNNER_MAX_SESSIONS",
    // A WebRTC call takes up to 2 % of a core (bench/README.md), and the bot needs some.
    default: 40,
    description: "Maximum number of calls at once; 0 for no limit",
    schema: Type.Integer({ minimum: 0 }),
    placeholder: "count",
  },
  maxCallDuration: {
    flag: "max-call-duration",
    env: "PIPECAT_RUNNER_MAX_CALL_DURATION",
    description: "Seconds after which a call ends, after a goodbye (default: no limit)",
    schema: Type.Number({
      minimum: 1,
      maximum: 604_800,
      description: "a number of seconds from 1 to 604800, or omit it",
    }),
    placeholder: "seconds",
  },
  shutdownTimeout: {
    flag: "shutdown-timeout",
    env: "PIPECAT_RUNNER_SHUTDOWN_TIMEOUT",
    default: 1800,
    description: "Seconds that live calls may continue after SIGTERM",
    // Timers hold at most 24.8 days.
    schema: Type.Number({ minimum: 0, maximum: 604_800 }),
    placeholder: "seconds",
  },
  downloadsFolder: {
    flag: "downloads-folder",
    short: "f",
    description: "Folder whose files can be downloaded at /files/",
    schema: Type.String({ minLength: 1 }),
    placeholder: "path",
  },
  folder: {
    flag: "folder",
    description: "Former name of --downloads-folder",
    schema: Type.String({ minLength: 1 }),
    placeholder: "path",
  },
  cloud: {
    flag: "cloud",
    env: "PIPECAT_RUNNER_CLOUD",
    default: false,
    description: "Serve Pipecat Cloud: one call at a time, started by POST /bot, on 0.0.0.0 and port 8080 or PORT",
    schema: Type.Boolean(),
  },
  apiKey: {
    flag: "api-key",
    env: "PIPECAT_RUNNER_API_KEY",
    description: "API key that clients must send (prefer the environment variable)",
    schema: Type.String({ minLength: 16, pattern: "^[!-~]*$", description: "at least 16 characters without spaces" }),
    placeholder: "key",
    secret: true,
  },
  webSocketAuth: {
    flag: "ws-auth",
    env: "PIPECAT_WEBSOCKET_AUTH",
    default: "none",
    description: "token: every WebSocket requires the single-use token from its URL",
    schema: Type.Union([Type.Literal("none"), Type.Literal("token")]),
    placeholder: "none|token",
  },
  webSocketSecret: {
    env: "PIPECAT_WEBSOCKET_SECRET",
    description: "Secret that signs tokens (default: random)",
    schema: Type.String({ minLength: 16, description: "at least 16 characters" }),
    secret: true,
  },
  allowedOrigins: {
    flag: "allowed-origins",
    env: "PIPECAT_ALLOWED_ORIGINS",
    default: [],
    description:
      "Origins whose pages may call: several values, or separated by commas (default: all; on localhost without a key, this machine)",
    schema: Type.Array(Type.String()),
    placeholder: "origins",
  },
};

/** With `--cloud`: the address, the variables and the defaults that the platform expects of an image. */
const cloudFlags: OptionTable<RunnerFlags> = {
  ...runnerFlags,
  host: { ...runnerFlags.host, default: "0.0.0.0" },
  port: { ...runnerFlags.port, env: ["PIPECAT_RUNNER_PORT", "PORT"], default: 8080 },
  // The platform's proxy decides on the host name.
  trustProxy: { ...runnerFlags.trustProxy, default: true },
  maxSessions: { ...runnerFlags.maxSessions, default: 1 },
  shutdownTimeout: {
    ...runnerFlags.shutdownTimeout,
    env: ["PIPECAT_RUNNER_SHUTDOWN_TIMEOUT", "SHUTDOWN_TIMEOUT"],
    default: 7200,
  },
};

/** The runner's own settings from flags and environment variables. Throws OPTION_INVALID. */
export function resolveRunnerFlags(sources: OptionSources): RunnerFlags {
  const flags = resolveOptions(runnerFlags, sources);
  const resolved = flags.cloud ? resolveOptions(cloudFlags, sources) : flags;
  // A flag wins over a variable, and --proxy is a flag only.
  return resolved.proxy !== undefined && sources.given?.publicUrl === undefined
    ? { ...resolved, publicUrl: undefined }
    : resolved;
}

/** The options of `createRunner` for these flags. */
export function runnerOptionsFrom(
  flags: RunnerFlags,
): Partial<AccessOptions> &
  Pick<
    RunnerOptions,
    | "host"
    | "port"
    | "transport"
    | "publicUrl"
    | "trustProxy"
    | "maxSessions"
    | "maxCallDurationMs"
    | "shutdownTimeoutMs"
    | "downloadsFolder"
    | "cloud"
  > {
  const { proxy, publicUrl, shutdownTimeout, maxSessions, maxCallDuration, transport, folder, ...rest } = flags;
  const url =
    publicUrl ?? (proxy === undefined ? undefined : `https://${proxy.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "")}`);
  return {
    ...rest,
    transport,
    downloadsFolder: rest.downloadsFolder ?? folder,
    maxSessions: maxSessions || Number.POSITIVE_INFINITY,
    maxCallDurationMs: (maxCallDuration ?? Number.POSITIVE_INFINITY) * 1000,
    shutdownTimeoutMs: shutdownTimeout * 1000,
    ...(url !== undefined && { publicUrl: url }),
  };
}

type SettingsInCode = Omit<
  RunnerFlags,
  "maxCallDuration" | "shutdownTimeout" | "proxy" | "folder" | "downloadsFolder"
> & {
  readonly maxCallDurationMs: number | undefined;
  readonly shutdownTimeoutMs: number;
};

/** The settings of `createRunner`, by their names there. */
const settingsInCode: OptionTable<SettingsInCode> = {
  host: inCode(runnerFlags.host),
  port: inCode(runnerFlags.port),
  transport: inCode(runnerFlags.transport),
  publicUrl: inCode(runnerFlags.publicUrl),
  trustProxy: inCode(runnerFlags.trustProxy),
  maxSessions: inCode({
    ...runnerFlags.maxSessions,
    schema: Type.Integer({ minimum: 0, description: "a whole number of at least 1, or Infinity" }),
  }),
  maxCallDurationMs: inCode({
    ...runnerFlags.maxCallDuration,
    schema: Type.Number({
      minimum: 1_000,
      maximum: 604_800_000,
      description: "a number of ms from 1000 to 604800000, or Infinity",
    }),
  }),
  shutdownTimeoutMs: inCode({
    ...runnerFlags.shutdownTimeout,
    default: 1_800_000,
    schema: Type.Number({ minimum: 0, maximum: 604_800_000, description: "a number of ms from 0 to 604800000" }),
  }),
  apiKey: inCode(runnerFlags.apiKey),
  cloud: inCode(runnerFlags.cloud),
  webSocketAuth: inCode(runnerFlags.webSocketAuth),
  webSocketSecret: inCode(runnerFlags.webSocketSecret),
  allowedOrigins: inCode(runnerFlags.allowedOrigins),
};

/** Without flag and variable, which errors would name. Text is not converted: `"5"` is not a number. */
function inCode<Value>({ description, schema, ...definition }: OptionDefinition<Value>): OptionDefinition<Value> {
  return { description, schema, default: definition.default, secret: definition.secret, parse: (text) => text };
}

/** The other options of `createRunner`. */
const otherOptions: { readonly [Name in Exclude<keyof RunnerOptions, keyof SettingsInCode>]-?: true } = {
  ...{ bot: true, plugins: true, pluginOptions: true, cliArgs: true, env: true, logger: true, observer: true },
  ...{ clientRoot: true, downloadsFolder: true, fileStorage: true, body: true },
  ...{ sessionIds: true, pendingTakesPlace: true, takePermit: true, wire: true, clock: true },
};

function rejectUnknownOptions(options: object): void {
  const names = [...Object.keys(settingsInCode), ...Object.keys(otherOptions)];
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const similar = closest(unknown, names);
  throw new RunnerError("OPTION_INVALID", `createRunner does not have the option "${unknown}".`, {
    fix: similar === undefined ? `Its options: ${names.join(", ")}.` : `Did you mean "${similar}"?`,
  });
}

/** The settings of a runner created in code, with defaults. Throws OPTION_INVALID. Reads no environment variable. */
export function createSettings(options: Omit<RunnerOptions, "bot">): {
  /** For plugins and bots: without secrets. */
  readonly settings: RunnerSettings;
  readonly access: AccessOptions;
  readonly cloud: boolean;
} {
  rejectUnknownOptions(options);
  const unlimited = Number.POSITIVE_INFINITY;
  const { maxSessions, maxCallDurationMs, publicUrl, cliArgs } = options;
  const { apiKey, webSocketAuth, webSocketSecret, allowedOrigins, cloud, ...settings } = resolveOptions(
    settingsInCode,
    {
      given: {
        ...options,
        publicUrl: publicUrl instanceof URL ? publicUrl.href : publicUrl,
        maxSessions: maxSessions === unlimited ? 0 : maxSessions,
        maxCallDurationMs: maxCallDurationMs === unlimited ? undefined : maxCallDurationMs,
      },
      env: {},
    },
  );
  if (cloud) checkCloudOptions(options);
  return {
    cloud,
    access: { apiKey, webSocketAuth, webSocketSecret, allowedOrigins: allowedOrigins.map(parseOrigin) },
    settings: Object.freeze({
      ...settings,
      publicUrl: settings.publicUrl === undefined ? undefined : parsePublicUrl(settings.publicUrl),
      requireAuth: apiKey !== undefined || webSocketAuth === "token",
      requireKey: apiKey !== undefined,
      maxSessions: settings.maxSessions || unlimited,
      maxCallDurationMs: settings.maxCallDurationMs ?? unlimited,
      cliArgs: Object.freeze({ ...cliArgs }),
    }),
  };
}

/** The platform sends neither a key nor tokens, and one session at a time. Throws OPTION_INVALID. */
function checkCloudOptions({ apiKey, webSocketAuth, maxSessions }: Omit<RunnerOptions, "bot">): void {
  const label = optionLabel("cloud", runnerFlags.cloud);
  if (maxSessions !== 1) {
    throw new RunnerError("OPTION_INVALID", `${label}: the limit of calls is ${maxSessions ?? "not set"}.`, {
      fix: "Omit --max-sessions, or set it to 1: the platform sends one session at a time.",
    });
  }
  if (apiKey === undefined && webSocketAuth !== "token") return;
  throw new RunnerError("OPTION_INVALID", `${label}: the platform sends neither the API key nor tokens.`, {
    fix: "Omit --api-key, PIPECAT_RUNNER_API_KEY and --ws-auth. The platform checks its own API key.",
  });
}

/** Browsers send an origin without a trailing slash. Apps may have a scheme of their own. */
function parseOrigin(text: string): string {
  const origin = text.replace(/\/$/, "");
  if (origin === "*" || /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/i.test(origin)) return origin;
  throw new RunnerError("OPTION_INVALID", `--allowed-origins: "${text}" is not an origin.`, {
    fix: 'Use a scheme and a host, like "https://app.example.com", with the port where there is one.',
  });
}

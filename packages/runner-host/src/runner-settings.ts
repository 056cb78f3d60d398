import { type OptionTable, RunnerError, type RunnerSettings, resolveOptions } from "@pipecat-ts/runner-core";
import Type from "typebox";
import { type AccessOptions, accessFlags } from "./access-options.ts";
import type { RunnerOptions } from "./runner.ts";

/** The runner's own settings as people give them: by flag or environment variable. */
export interface RunnerFlags extends AccessOptions {
  readonly host: string;
  readonly port: number;
  readonly transport: string | undefined;
  readonly publicUrl: string | undefined;
  readonly proxy: string | undefined;
  readonly trustProxy: boolean;
  readonly maxSessions: number | undefined;
  /** In seconds. */
  readonly shutdownTimeout: number;
  readonly folder: string | undefined;
}

/** The runner's own flags and environment variables, for whoever reads them: a runner made in code reads neither. */
export const runnerFlags: OptionTable<RunnerFlags> = {
  host: {
    flag: "host",
    env: "PIPECAT_RUNNER_HOST",
    default: "localhost",
    description: "Address to listen on; 0.0.0.0 for every network",
    schema: Type.String({ minLength: 1 }),
    placeholder: "address",
  },
  port: {
    flag: "port",
    env: "PIPECAT_RUNNER_PORT",
    default: 7860,
    description: "Port to listen on; 0 takes a free one",
    schema: Type.Integer({ minimum: 0, maximum: 65_535 }),
    placeholder: "port",
  },
  transport: {
    flag: "transport",
    short: "t",
    env: "PIPECAT_RUNNER_TRANSPORT",
    description: "The one transport callers may use (default: all that are installed)",
    schema: Type.String({ minLength: 1 }),
    placeholder: "name",
  },
  publicUrl: {
    flag: "public-url",
    env: "PIPECAT_RUNNER_PUBLIC_URL",
    description: "Where callers and phone carriers reach this server; a bare hostname means https",
    schema: Type.String({ minLength: 1 }),
    placeholder: "url",
  },
  proxy: {
    flag: "proxy",
    short: "x",
    description: "Public hostname of a tunnel to this server: --public-url https://<hostname>",
    schema: Type.String({ minLength: 1 }),
    placeholder: "hostname",
  },
  trustProxy: {
    flag: "trust-proxy",
    env: "PIPECAT_RUNNER_TRUST_PROXY",
    default: false,
    description: "Believe X-Forwarded-Host and X-Forwarded-Proto: only behind a proxy that sets them",
    schema: Type.Boolean(),
  },
  maxSessions: {
    flag: "max-sessions",
    env: "PIPECAT_RUNNER_MAX_SESSIONS",
    description: "Callers served at once (default: no limit)",
    schema: Type.Integer({ minimum: 1 }),
    placeholder: "count",
  },
  shutdownTimeout: {
    flag: "shutdown-timeout",
    env: "PIPECAT_RUNNER_SHUTDOWN_TIMEOUT",
    default: 1800,
    description: "Seconds that live calls may go on after SIGTERM",
    // A timer's limit is 24.8 days; whoever needs a week does not mean to stop.
    schema: Type.Number({ minimum: 0, maximum: 604_800 }),
    placeholder: "seconds",
  },
  folder: {
    flag: "folder",
    short: "f",
    description: "Folder whose files may be downloaded at /files/",
    schema: Type.String({ minLength: 1 }),
    placeholder: "path",
  },
  ...accessFlags,
};

/** What `createRunner` takes for these flags: seconds made ms, `--proxy` made a public URL. */
export function runnerOptionsFrom(
  flags: RunnerFlags,
): Partial<AccessOptions> &
  Pick<
    RunnerOptions,
    "host" | "port" | "transport" | "publicUrl" | "trustProxy" | "maxSessions" | "shutdownTimeoutMs" | "folder"
  > {
  const { proxy, publicUrl, shutdownTimeout, maxSessions, transport, ...rest } = flags;
  const url =
    publicUrl ?? (proxy === undefined ? undefined : `https://${proxy.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "")}`);
  return {
    ...rest,
    transport,
    maxSessions: maxSessions ?? Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: shutdownTimeout * 1000,
    ...(url !== undefined && { publicUrl: url }),
  };
}

/** The settings of a runner made in code: defaults filled in. Throws OPTION_INVALID. Reads no environment variable. */
export function createSettings(options: Omit<RunnerOptions, "bot">): RunnerSettings {
  const { maxSessions, shutdownTimeoutMs, publicUrl } = options;
  const flags = resolveOptions(runnerFlags, {
    given: {
      host: options.host,
      port: options.port,
      transport: options.transport,
      publicUrl: publicUrl?.toString(),
      trustProxy: options.trustProxy,
      maxSessions: maxSessions === Number.POSITIVE_INFINITY ? undefined : maxSessions,
      shutdownTimeout: shutdownTimeoutMs === undefined ? undefined : shutdownTimeoutMs / 1000,
    },
    env: {},
  });
  return Object.freeze({
    host: flags.host,
    port: flags.port,
    transport: flags.transport,
    publicUrl: flags.publicUrl === undefined ? undefined : parsePublicUrl(flags.publicUrl),
    trustProxy: flags.trustProxy,
    callersMustProve: options.apiKey !== undefined || options.webSocketAuth === "token",
    maxSessions: flags.maxSessions ?? Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: flags.shutdownTimeout * 1000,
    cliArgs: Object.freeze({ ...options.cliArgs }),
  });
}

/** The URL a person meant: `my.ngrok.io` is `https://my.ngrok.io`; slashes at its end are dropped. Throws OPTION_INVALID. */
export function parsePublicUrl(text: string): URL {
  const url = URL.parse((/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `https://${text}`).replace(/\/+$/, ""));
  const plain = url?.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (url && plain && /^https?:$/.test(url.protocol) && !isUnspecified(url.hostname)) return url;
  // The text may hold a password, so it is not repeated.
  throw new RunnerError("OPTION_INVALID", "--public-url or --proxy is not the address of a web server.", {
    fix: 'Give a hostname or a URL that callers can open, like "my.ngrok.io" or "https://bots.example.com/voice".',
  });
}

/** Whether this host means "every network of this machine", which nobody can call: `0.0.0.0`, `::`. */
export function isUnspecified(host: string): boolean {
  return /^(0\.0\.0\.0|\[?::\]?|\[?::ffff:(0\.0\.0\.0|0:0)\]?)$/i.test(host);
}

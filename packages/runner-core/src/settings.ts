/** The settings of one runner, after flags, environment variables and defaults. */
export interface RunnerSettings {
  /** The address that the server binds. */
  readonly host: string;
  /** The port that the server was told to bind; 0 lets the system choose. */
  readonly port: number;
  /** The only transport that callers may use, when the runner is restricted to one. */
  readonly transport?: string | undefined;
  /** Where callers and carriers reach this runner, when configured. */
  readonly publicUrl?: URL | undefined;
  /** Whether `X-Forwarded-*` headers of a proxy in front are trusted. */
  readonly trustProxy: boolean;
  /**
   * Whether callers must authenticate: the runner has an API key, or requires a token on every socket. A carrier request
   * that cannot be verified must then start nothing, or it would bypass both.
   */
  readonly requireAuth: boolean;
  /** Whether `POST /start` requires the API key. Without it, everyone who reaches the runner may start sessions. */
  readonly requireKey: boolean;
  /** How many sessions may be active at once; `Infinity` without a limit. */
  readonly maxSessions: number;
  /** How long a call may last, in ms; `Infinity` without a limit. A bot can set another limit with `args.session.limitDuration`. */
  readonly maxCallDurationMs: number;
  /** How long live sessions may continue after a shutdown request, in ms. */
  readonly shutdownTimeoutMs: number;
  /** The flags of the command line, by camelCase name; `{}` for a runner created in code. */
  readonly cliArgs: Readonly<Record<string, unknown>>;
}

/** Whether a host name means this machine only: `localhost`, names below it, `127.*`, `::1`. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$|\.$/g, "");
  return /^(.+\.)?localhost$|^127(\.\d{1,3}){3}$|^::1$|^::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}$/.test(name);
}

/** Whether other machines can reach a runner: at its address, at its public URL, or through the proxy that it trusts. */
export function isExposed({
  host,
  publicUrl,
  trustProxy,
}: Pick<RunnerSettings, "host" | "publicUrl" | "trustProxy">): boolean {
  return trustProxy || !isLoopback(host) || (publicUrl !== undefined && !isLoopback(publicUrl.hostname));
}

/** Whether the servers of a carrier or another vendor can reach a runner: at its public URL, or through the proxy that it trusts. */
export function isReachable({ publicUrl, trustProxy }: Pick<RunnerSettings, "publicUrl" | "trustProxy">): boolean {
  return publicUrl !== undefined || trustProxy;
}

/** The client of a connection, for limits: its IPv4 address, or its IPv6 network of 64 bits, which one customer has. */
export function clientOf({ remoteAddress = "" }: { readonly remoteAddress?: string | undefined }): string {
  const address = remoteAddress.replace(/^::ffff:(?=[\d.]+$)/i, "");
  if (!address.includes(":")) return address;
  const [head = [], tail = []] = address.split("::").map((part) => part.split(":"));
  const zeros = Array.from({ length: Math.max(0, 8 - head.length - tail.length) }, () => "0");
  return [...head, ...zeros, ...tail]
    .slice(0, 4)
    .map((group) => group || "0")
    .join(":");
}

import { type ChildProcess, execFile, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { type Logger, RunnerError, resolveOptions, withTimeout } from "@pipecat-ts/runner-core";
import { boundUrl, createFront, createLogger, resolveRunnerFlags } from "@pipecat-ts/runner-host";
import { commandFlags } from "./flags.ts";

/** How long a tunnel may take to report its URL, in ms. */
const startMs = 20_000;
/** How long a tunnel may take to end before it is killed, in ms. */
const closeMs = 2_000;
/** Characters of its output that are searched and quoted. */
const maxOutput = 16_384;

/** A program that makes a port of this machine public, and how it prints the URL. */
interface TunnelProgram {
  readonly name: string;
  /** `local`: the URL of the port on this machine. */
  args(local: URL): readonly string[];
  /** The first group is the URL. */
  readonly url: RegExp;
}

/** How long a program may take to print its version, in ms. */
const versionMs = 5_000;

/** The first one that is installed is used. */
const programs: readonly TunnelProgram[] = [
  {
    name: "cloudflared",
    args: (local) => ["tunnel", "--no-autoupdate", "--url", local.origin],
    // It also prints the URLs of its documentation and, in errors, of its API.
    url: /(https:\/\/(?!api\.)[a-z0-9-]+\.trycloudflare\.com)\b/,
  },
  {
    name: "ngrok",
    args: (local) => ["http", local.host, "--log", "stdout", "--log-format", "logfmt"],
    // The output arrives in pieces: a URL is complete when something follows it.
    url: /\burl=(https:\/\/\S+)\s/,
  },
];

/** A running tunnel. */
export interface Tunnel {
  readonly url: URL;
  /** Logs when it ends before `close`. */
  logTo(logger: Logger): void;
  /** Resolves when it has ended: after 2 s it is killed. */
  close(): Promise<void>;
}

/** The parts of Node that a tunnel uses. */
export interface TunnelHost {
  spawn(command: string, args: readonly string[], options: SpawnOptions): ChildProcess;
  readonly process: Pick<NodeJS.Process, "on" | "off" | "listenerCount" | "exit">;
}

/** The settings that a tunnel depends on. */
export interface TunnelSettings {
  readonly tunnel: boolean;
  readonly direct: boolean;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | undefined;
  readonly proxy: string | undefined;
}

/** The settings of a tunnel for these options of the runner. Throws OPTION_INVALID. */
export function tunnelSettings(given: Readonly<Record<string, unknown>>): TunnelSettings {
  const { tunnel, direct } = resolveOptions(commandFlags, { given });
  const { publicUrl, ...settings } = resolveRunnerFlags({ given });
  // The flag --tunnel wins over the variable of --public-url.
  return { ...settings, publicUrl: given.publicUrl === undefined ? undefined : publicUrl, tunnel, direct };
}

/**
 * With `--tunnel`, starts a tunnel from a public URL to the port, with `cloudflared` or `ngrok`, whichever is installed. It ends with
 * this process. Rejects with TUNNEL_FAILED, with PORT_IN_USE, and with OPTION_INVALID for settings that exclude a tunnel.
 */
export async function openTunnel(
  settings: TunnelSettings,
  host: TunnelHost = { spawn, process },
): Promise<Tunnel | undefined> {
  checkTunnel(settings);
  if (!settings.tunnel) return undefined;
  await checkPort(settings);
  const local = boundUrl(settings.host, settings.port);
  for (const program of programs) {
    const child = await start(program, local, host);
    if (child) return await follow(child, program, local, host);
  }
  throw notInstalled();
}

/** The name of the program that a tunnel would use. Rejects with TUNNEL_FAILED when none is installed. */
export async function findTunnelProgram(): Promise<string> {
  for (const { name } of programs) {
    const isInstalled = await new Promise<boolean>((resolve) =>
      execFile(name, ["version"], { timeout: versionMs }, (error) =>
        resolve((error as NodeJS.ErrnoException | null)?.code !== "ENOENT"),
      ),
    );
    if (isInstalled) return name;
  }
  throw notInstalled();
}

function notInstalled(): RunnerError {
  return new RunnerError("TUNNEL_FAILED", "--tunnel: neither cloudflared nor ngrok is installed.", {
    fix: "Install one: https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/downloads, https://ngrok.com/download",
  });
}

/** Throws OPTION_INVALID for settings that exclude a tunnel. */
export function checkTunnel({ tunnel, direct, port, publicUrl, proxy }: TunnelSettings): void {
  if (!tunnel) return;
  const other = direct
    ? "--direct"
    : publicUrl !== undefined
      ? "--public-url"
      : proxy !== undefined
        ? "--proxy"
        : undefined;
  if (other !== undefined) {
    throw new RunnerError("OPTION_INVALID", `--tunnel and ${other} cannot be combined.`, { fix: "Omit one of them." });
  }
  if (port === 0) {
    throw new RunnerError("OPTION_INVALID", "--tunnel needs a port that is known before the start, and --port is 0.", {
      fix: "Choose a port: --port 7860",
    });
  }
}

/** A tunnel to a port in use would make another program public. */
async function checkPort({ host, port }: TunnelSettings): Promise<void> {
  const front = createFront({ host, port, logger: createLogger({ level: "silent" }) });
  const server = await front.open({
    request: async (_, response) => void response.destroy(),
    upgrade: async (_, connection) => void connection.destroy(),
  });
  await server.close();
}

/** `undefined` when the program is not installed. */
async function start({ name, args }: TunnelProgram, local: URL, host: TunnelHost): Promise<ChildProcess | undefined> {
  // In a process group of its own: Ctrl-C must not end it before the calls have ended.
  const child = host.spawn(name, args(local), { stdio: ["ignore", "pipe", "pipe"], detached: true });
  try {
    await once(child, "spawn");
    return child;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new RunnerError("TUNNEL_FAILED", `${name} cannot be started: ${(error as Error).message}.`, {
      cause: error,
      fix: `Check its installation: ${name} version`,
    });
  }
}

/** The signals that would end this process without its `exit` event, while nothing else handles them. */
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

async function follow(
  child: ChildProcess,
  program: TunnelProgram,
  local: URL,
  { process }: TunnelHost,
): Promise<Tunnel> {
  const { name, url: pattern } = program;
  let output = "";
  let isClosed = false;
  let hasEnded = false;
  const { promise: found, resolve } = Promise.withResolvers<string | undefined>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-maxOutput);
      const url = pattern.exec(output)?.[1];
      if (url !== undefined) resolve(url);
    });
  }
  child.on("error", () => undefined); // It cannot be ended.
  const exited = new Promise((exit) => child.once("exit", exit)).then(() => {
    process.off("exit", kill);
    for (const signal of signals) process.off(signal, stop);
  });
  const ended = new Promise((end) => child.once("close", end)).then(() => {
    hasEnded = true;
    resolve(undefined);
  });

  /** When this process exits, nothing can wait for a tunnel that has been asked to end. */
  function kill(): void {
    child.kill(isClosed ? "SIGKILL" : "SIGTERM");
  }
  async function close(): Promise<void> {
    isClosed = true;
    child.kill();
    if (await withTimeout(exited, closeMs)) return;
    child.kill("SIGKILL");
    await exited;
  }
  function stop(signal: NodeJS.Signals): void {
    if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
  }
  process.on("exit", kill);
  for (const signal of signals) process.on(signal, stop);
  const late = setTimeout(resolve, startMs, undefined);
  const url = await found;
  clearTimeout(late);
  if (url === undefined) {
    const reason = hasEnded ? "exited without a public URL" : `reported no public URL within ${startMs / 1_000} s`;
    await close();
    throw noUrl(program, local, reason, output);
  }
  return {
    url: new URL(url),
    close,
    logTo(logger) {
      void ended.then(() => {
        const fix = "Restart the runner.";
        if (!isClosed) logger.error({ url, fix }, `${name} ended, and with it the public URL`);
      });
    },
  };
}

function noUrl({ name, args }: TunnelProgram, local: URL, reason: string, output: string): RunnerError {
  const [line = ""] = output.trim().split("\n").slice(-1);
  const said = line === "" ? "" : ` Its last line: ${line.trim().slice(0, 300)}`;
  return new RunnerError("TUNNEL_FAILED", `${name} ${reason}.${said}`, {
    fix: `Run \`${[name, ...args(local)].join(" ")}\` to see the error, or pass the URL of another tunnel with --public-url.`,
  });
}

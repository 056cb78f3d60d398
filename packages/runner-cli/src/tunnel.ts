import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { type Logger, RunnerError } from "@pipecat-ts/runner-core";

/** How long a tunnel may take to report its URL, in ms. */
const startMs = 20_000;
/** Characters of its output that are searched and quoted. */
const maxOutput = 16_384;

/** A program that makes a port of this machine public, and how it prints the URL. */
interface TunnelProgram {
  readonly name: string;
  args(port: number): readonly string[];
  /** The first group is the URL. */
  readonly url: RegExp;
}

/** The first one that is installed is used. */
const programs: readonly TunnelProgram[] = [
  {
    name: "cloudflared",
    args: (port) => ["tunnel", "--no-autoupdate", "--url", `http://localhost:${port}`],
    // It also prints the URLs of its documentation and, in errors, of its API.
    url: /(https:\/\/(?!api\.)[a-z0-9-]+\.trycloudflare\.com)\b/,
  },
  {
    name: "ngrok",
    args: (port) => ["http", `${port}`, "--log", "stdout", "--log-format", "logfmt"],
    url: /\burl=(https:\/\/\S+)/,
  },
];

/** A running tunnel. */
export interface Tunnel {
  readonly url: URL;
  /** Logs when it ends before `close`. */
  logTo(logger: Logger): void;
  /** Ends it. Later calls have no effect. */
  close(): void;
}

/** The settings that a tunnel depends on. */
export interface TunnelSettings {
  readonly tunnel: boolean;
  readonly direct: boolean;
  readonly port: number;
  readonly publicUrl: string | undefined;
  readonly proxy: string | undefined;
}

/**
 * With `--tunnel`, starts a tunnel from a public URL to the port, with `cloudflared` or `ngrok`, whichever is installed. It ends with
 * this process. Rejects with TUNNEL_FAILED, and with OPTION_INVALID for settings that exclude a tunnel.
 */
export async function openTunnel(settings: TunnelSettings): Promise<Tunnel | undefined> {
  if (!settings.tunnel) return undefined;
  checkSettings(settings);
  for (const program of programs) {
    const child = await start(program, settings.port);
    if (child) return await follow(child, program, settings.port);
  }
  throw new RunnerError("TUNNEL_FAILED", "--tunnel: neither cloudflared nor ngrok is installed.", {
    fix: "Install one: https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/downloads, https://ngrok.com/download",
  });
}

function checkSettings({ direct, port, publicUrl, proxy }: TunnelSettings): void {
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

/** `undefined` when the program is not installed. */
async function start({ name, args }: TunnelProgram, port: number): Promise<ChildProcess | undefined> {
  // In a process group of its own: Ctrl-C must not end it before the calls have ended.
  const child = spawn(name, args(port), { stdio: ["ignore", "pipe", "pipe"], detached: true });
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

async function follow(child: ChildProcess, program: TunnelProgram, port: number): Promise<Tunnel> {
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
  const ended = once(child, "close").then(() => {
    process.off("exit", close);
    hasEnded = true;
    resolve(undefined);
  });

  function close(): void {
    isClosed = true;
    child.kill();
  }
  function stop(signal: NodeJS.Signals): void {
    process.exit(128 + constants.signals[signal]);
  }
  process.once("exit", close);
  for (const signal of signals) process.on(signal, stop);
  const late = setTimeout(resolve, startMs, undefined);
  const url = await found;
  clearTimeout(late);
  for (const signal of signals) process.off(signal, stop);
  if (url === undefined) {
    close();
    const reason = hasEnded ? "exited without a public URL" : `reported no public URL within ${startMs / 1_000} s`;
    throw noUrl(program, port, reason, output);
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

function noUrl({ name, args }: TunnelProgram, port: number, reason: string, output: string): RunnerError {
  const [line = ""] = output.trim().split("\n").slice(-1);
  const said = line === "" ? "" : ` Its last line: ${line.trim().slice(0, 300)}`;
  return new RunnerError("TUNNEL_FAILED", `${name} ${reason}.${said}`, {
    fix: `Run \`${[name, ...args(port)].join(" ")}\` to see the error, or pass the URL of another tunnel with --public-url.`,
  });
}

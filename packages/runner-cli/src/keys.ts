import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

/** What the keys do. */
export interface KeyActions {
  open(): void;
  /** Missing where the program cannot restart. Not called again until the promise resolves; it never rejects. */
  readonly restart?: { readonly description: string; run(): Promise<void> } | undefined;
}

/** The parts of `process` that the keys use. */
export interface KeyHost {
  readonly stdin: Pick<NodeJS.ReadStream, "isTTY" | "setRawMode" | "pause" | "resume" | "listenerCount"> & {
    on(event: "data" | "error", listener: (data: Buffer) => void): unknown;
  };
  readonly stdout: { readonly isTTY?: boolean };
  readonly stderr: { readonly isTTY?: boolean; write(text: string): unknown };
  readonly platform: NodeJS.Platform;
  on(event: "exit" | "SIGCONT", listener: () => void): unknown;
  emit(event: "SIGINT", signal: "SIGINT"): unknown;
  kill(pid: number, signal: NodeJS.Signals): unknown;
}

/** The keys that are read. */
export interface Keys {
  /** Names them, for the banner. Empty when none are read. */
  readonly description: string;
  /** Reads keys again after a child process has ended: Node then gives the terminal the mode that it had when the child started. */
  restore(): void;
}

const noKeys: Keys = { description: "", restore: () => undefined };

/** The keys that a terminal without raw mode turns into signals. */
const signals: ReadonlyMap<string, NodeJS.Signals> = new Map([
  ["\u0003", "SIGINT"],
  ["\u001a", "SIGTSTP"],
  ["\u001c", "SIGQUIT"],
]);

/**
 * Reads keys from the terminal until the process exits: h, o, r and q. Ctrl-C, Ctrl-Z and Ctrl-\ do what they do without raw mode.
 *
 * Does nothing unless stdin, stdout and stderr are terminals, because a pager or `jq` reads the same terminal; when
 * the bot's file reads stdin; and in the background, where reading would stop the process.
 */
export function listenForKeys(
  actions: KeyActions,
  host: KeyHost = process,
  inForeground: () => boolean = isInForeground,
): Keys {
  const { stdin, stdout, stderr } = host;
  const { restart } = actions;
  let isRestarting = false;
  const isOnTerminal = [stdin, stdout, stderr].every(({ isTTY }) => isTTY === true);
  if (!isOnTerminal || stdin.listenerCount("data") + stdin.listenerCount("readable") > 0) return noKeys;

  /** As the terminal does it: to all processes of the foreground, such as a `pnpm` around this one. */
  function send(signal: NodeJS.Signals): void {
    if (host.platform !== "win32") host.kill(0, signal);
    else if (signal === "SIGINT") host.emit("SIGINT", "SIGINT"); // `kill` would end the process at once.
  }

  const keys = new Map<string, readonly [description: string, run: () => unknown]>([
    ["h", ["help", help]],
    ["o", ["open in the browser", actions.open]],
    ...(restart ? ([["r", [restart.description, restartOnce]]] as const) : []),
    ["q", ["quit", () => send("SIGINT")]],
  ]);

  async function restartOnce(): Promise<void> {
    if (isRestarting) return;
    isRestarting = true;
    await restart?.run();
    isRestarting = false;
  }

  function help(): void {
    const lines = [...keys].map(([key, [description]]) => `  ${key}  ${description}\n`);
    stderr.write(`\n${lines.join("")}\n`);
  }

  function press(character: string): void {
    const signal = signals.get(character);
    if (signal === undefined) {
      keys.get(character)?.[1]();
      return;
    }
    if (signal !== "SIGINT") leave(); // The shell gets the terminal.
    send(signal);
  }

  function enter(): void {
    stdin.setRawMode(true);
    stdin.resume();
  }

  function leave(): void {
    stdin.setRawMode(false);
    stdin.pause();
  }

  function restore(): void {
    if (!inForeground()) {
      stdin.pause();
      return;
    }
    leave();
    enter();
  }

  stdin.on("data", (data) => {
    const text = data.toString();
    // Pasted text and the codes of other keys, such as arrows, contain letters that were not pressed.
    for (const character of text) if (signals.has(character) || text.length === 1) press(character);
  });
  stdin.on("error", () => undefined); // The terminal is closed: SIGHUP follows.
  host.on("exit", () => {
    if (inForeground()) leave();
  });
  // After Ctrl-Z and `fg` or `bg`. The shell has reset the terminal, and stops a background process that changes its mode.
  host.on("SIGCONT", restore);
  stdin.pause(); // The listener of data has started to read.
  if (!inForeground()) return { description: "", restore };
  enter();
  return { description: [...keys].map(([key, [description]]) => `${key} ${description}`).join(", "), restore };
}

/** Whether the terminal's keys are for this process: it was not started with `&`. */
function isInForeground(): boolean {
  if (process.platform === "win32") return true;
  const file = "/proc/self/stat";
  if (existsSync(file)) {
    // After the name of the program: state, parent, process group, session, terminal, foreground group of the terminal.
    const [, , group, , , foreground] = readFileSync(file, "latin1").split(") ").at(-1)?.split(" ") ?? [];
    return group === foreground;
  }
  return execFileSync("ps", ["-o", "stat=", "-p", `${process.pid}`], { encoding: "utf8" }).includes("+");
}

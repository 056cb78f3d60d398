import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import { type KeyHost, listenForKeys } from "./keys.ts";

/** A process on a terminal, and what it did. */
function createHost(more: Partial<KeyHost> = {}, terminal = {}) {
  const steps: string[] = [];
  const stdin = Object.assign(new EventEmitter(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => steps.push(isRaw ? "raw" : "cooked"),
    pause: () => steps.push("pause"),
    resume: () => steps.push("resume"),
    ...terminal,
  });
  const events = new EventEmitter();
  const host = {
    stdin,
    stdout: { isTTY: true },
    stderr: { isTTY: true, write: (text: string) => steps.push(text) },
    platform: "linux",
    on: events.on.bind(events),
    emit: (event: string) => steps.push(`emit ${event}`),
    kill: (pid: number, signal: string) => steps.push(`${signal} to ${pid}`),
    ...more,
  } as unknown as KeyHost;
  return { host, steps, events, type: (text: string) => stdin.emit("data", Buffer.from(text)) };
}

const actions = () => ({ open: vi.fn(), restart: { description: "restart", run: vi.fn(async () => undefined) } });

test("keys open, restart and quit, and h lists them", () => {
  const { host, steps, type } = createHost();
  const { open, restart } = actions();
  expect(listenForKeys({ open, restart }, host, () => true).description).toBe(
    "h help, o open in the browser, r restart, q quit",
  );
  expect(steps.splice(0)).toEqual(["pause", "raw", "resume"]);
  type("o");
  expect(open).toHaveBeenCalledOnce();
  type("r");
  expect(restart.run).toHaveBeenCalledOnce();
  type("h");
  expect(steps.splice(0)).toEqual(["\n  h  help\n  o  open in the browser\n  r  restart\n  q  quit\n\n"]);
  type("q");
  expect(steps.splice(0)).toEqual(["SIGINT to 0"]);
  type("x");
  type("quit or restart"); // pasted
  type("\u001b[q"); // a key without a letter
  expect(steps).toEqual([]);
  expect(open).toHaveBeenCalledOnce();
});

test("r does nothing until a restart has ended", async () => {
  const { host, type } = createHost();
  const { open, restart } = actions();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  restart.run.mockReturnValueOnce(promise);
  listenForKeys({ open, restart }, host, () => true);
  type("r");
  type("r");
  expect(restart.run).toHaveBeenCalledOnce();
  resolve(undefined);
  await promise;
  await Promise.resolve();
  type("r");
  expect(restart.run).toHaveBeenCalledTimes(2);
});

test("without a way to restart, r does nothing and is not named", () => {
  const { host, type } = createHost();
  expect(listenForKeys({ open: vi.fn() }, host, () => true).description).toBe("h help, o open in the browser, q quit");
  expect(() => type("r")).not.toThrow();
});

test("Ctrl-C, Ctrl-Z and Ctrl-\\ signal all processes in the foreground, as without raw mode", () => {
  const { host, steps, type, events } = createHost();
  listenForKeys(actions(), host, () => true);
  steps.length = 0;
  type("\u0003\u0003");
  expect(steps.splice(0)).toEqual(["SIGINT to 0", "SIGINT to 0"]);
  type("\u001a");
  expect(steps.splice(0)).toEqual(["cooked", "pause", "SIGTSTP to 0"]);
  events.emit("SIGCONT");
  expect(steps.splice(0)).toEqual(["cooked", "pause", "raw", "resume"]);
  type("\u001c");
  expect(steps.splice(0)).toEqual(["cooked", "pause", "SIGQUIT to 0"]);
});

test("on Windows, Ctrl-C reaches the listeners of SIGINT", () => {
  const { host, steps, type } = createHost({ platform: "win32" });
  listenForKeys(actions(), host, () => true);
  steps.length = 0;
  type("\u0003");
  expect(steps).toEqual(["emit SIGINT"]);
});

test("the terminal leaves raw mode when the process exits", () => {
  const { host, steps, events } = createHost();
  listenForKeys(actions(), host, () => true);
  steps.length = 0;
  events.emit("exit");
  expect(steps).toEqual(["cooked", "pause"]);
});

test("keys are read again after a child process has ended", () => {
  const { host, steps } = createHost();
  const { restore } = listenForKeys(actions(), host, () => true);
  steps.length = 0;
  restore();
  expect(steps).toEqual(["cooked", "pause", "raw", "resume"]);
});

test("a background process neither reads the terminal nor changes its mode, until it is in the foreground", () => {
  const { host, steps, events } = createHost();
  let inForeground = false;
  expect(listenForKeys(actions(), host, () => inForeground).description).toBe("");
  events.emit("SIGCONT");
  events.emit("exit");
  expect(steps.splice(0)).toEqual(["pause", "pause"]);
  inForeground = true;
  events.emit("SIGCONT");
  expect(steps.slice(-2)).toEqual(["raw", "resume"]);
});

test.each<[string, Partial<KeyHost>, object]>([
  ["stdin", {}, { isTTY: false }],
  ["stdout", { stdout: {} }, {}],
  ["stderr", { stderr: { write: () => true } }, {}],
])("without a terminal on %s, nothing is read", (_, more, terminal) => {
  const { host, steps } = createHost(more, terminal);
  expect(listenForKeys(actions(), host, () => true).description).toBe("");
  expect(steps).toEqual([]);
  expect(host.stdin.listenerCount("data")).toBe(0);
});

test("a bot that reads the terminal itself keeps its keys", () => {
  const { host, steps } = createHost();
  host.stdin.on("data", () => undefined);
  expect(listenForKeys(actions(), host, () => true).description).toBe("");
  expect(steps).toEqual([]);
});

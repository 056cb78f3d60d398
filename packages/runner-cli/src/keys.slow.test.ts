import { expect, test } from "vitest";
import { bin, call, startOnTerminal } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

/** The command's keys, and afterwards its exit code and the state of the terminal. */
function start(...argv: readonly string[]) {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": "export function bot() {}" });
  const command = [process.execPath, bin, ...argv].map((argument) => `'${argument}'`).join(" ");
  // The shell is in the foreground too: it must survive Ctrl-C.
  return startOnTerminal(folder, `trap : INT; ${command}; echo "ended $?"; stty -a`);
}

test("on a terminal, h helps, r restarts the program, and Ctrl-C ends it with the terminal as it was", async () => {
  const program = start("--port", "0");
  await program.printed(/h help, o open in the browser, r restart, q quit/);
  program.type("h");
  await program.printed(/q {2}quit/);
  program.type("r");
  await program.printed(/q quit.*q quit/s);
  program.type("\u0003");
  await program.printed(/ended 0\r?\n/);
  expect(await program.ended).toBe(0);
  expect(program.stdout).toMatch(/ icanon.* echo /s);
});

test("on a terminal, a bot that throws prints its line and the fix instead of a stack", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.js": 'export function bot() {\n  throw new TypeError("no model");\n}',
  });
  const program = startOnTerminal(folder, `'${process.execPath}' '${bin}' --port 0`);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  await call(url);
  const [lines = ""] = await program.printed(/bot failed.*?shows the stack\./s);
  expect(lines.split("\r\n")).toEqual([
    "bot failed: bot.js:2: TypeError: no model",
    "    → Correct that line. -v shows the stack.",
  ]);
  program.type("\u0003");
  await program.ended;
});

test("with process isolation, r runs changed code in new calls, and q quits", async () => {
  const program = start("--port", "0", "--isolation", "process");
  await program.printed(/r run changed code in new calls, q quit/);
  program.type("r");
  await program.printed(/reload/);
  program.type("q");
  await program.printed(/ended 0\r?\n/);
  expect(await program.ended).toBe(0);
});

test("with process isolation, the program ends when its terminal is closed", async () => {
  const program = start("--port", "0", "--isolation", "process");
  const [, port = ""] = await program.printed(/http:\/\/localhost:(\d+)/);
  await program.printed(/q quit/);
  program.signal("SIGKILL"); // to the program that provides the terminal
  await expect.poll(() => fetch(`http://127.0.0.1:${port}/livez`).catch(() => "closed")).toBe("closed");
});

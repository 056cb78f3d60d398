import { expect, test } from "vitest";
import { bin, startOnTerminal } from "./test/program.ts";
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

test("with process isolation, r runs changed code in new calls, and q quits", async () => {
  const program = start("--port", "0", "--isolation", "process");
  await program.printed(/r run changed code in new calls, q quit/);
  program.type("r");
  await program.printed(/reload/);
  program.type("q");
  await program.printed(/ended 0\r?\n/);
  expect(await program.ended).toBe(0);
});

import { expect, test, vi } from "vitest";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, toyManifest } from "./test/temporary-project.ts";

// Real processes on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

/** Fails in the way its caller wants, or waits to be told to stop. SIGUSR2 makes code fail that is nobody's. */
const failingBot = `
export function bot({ body, signal, sessionId }) {
  if (body.fail === "timer") setTimeout(() => { throw new Error("in a timer"); }, 1);
  if (body.fail === "promise") setTimeout(() => void Promise.reject(new Error("in a promise")), 1);
  if (body.fail === "late") return void setTimeout(() => void Promise.reject(new Error("after its end")), 50);
  console.log("running " + sessionId);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(console.log("stopped " + sessionId))));
}
const failures = [() => void Promise.reject(new Error("a promise of nobody")), () => { throw new Error("a throw of nobody"); }];
process.on("SIGUSR2", () => failures.shift()());
`;

/** Starts the bot above and answers where it listens. */
async function start() {
  const folder = createProject({ "package.json": toyManifest, "bot.js": failingBot });
  const program = startProgram(folder, [bin, "--port", "0"]);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  return { program, url };
}

/** The log lines of a session. */
function logOf(stdout: string, session: string): readonly Record<string, unknown>[] {
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line)).filter((line) => line.session === session);
}

test("an error nobody caught ends its own session and no other; one of no session's ends the program with 1", async () => {
  const { program, url } = await start();
  const healthy = await call(url);
  await program.printed(new RegExp(`running ${healthy}`));

  for (const [fail, message] of Object.entries({ timer: "in a timer", promise: "in a promise" })) {
    const session = await call(url, { fail });
    await program.printed(new RegExp(`stopped ${session}`));
    await program.printed(new RegExp(`"session":"${session}".*bot-failed`));
    expect(JSON.stringify(logOf(program.stdout, session))).toContain(message);
  }
  const late = await call(url, { fail: "late" });
  await program.printed(new RegExp(`"session":"${late}".*after its end`));

  program.signal("SIGUSR2");
  await program.printed(/a promise of nobody/);
  expect(program.stdout).not.toContain(`stopped ${healthy}`);

  program.signal("SIGUSR2");
  await program.printed(/a throw of nobody/);
  await program.printed(new RegExp(`stopped ${healthy}`));
  expect(await program.ended).toBe(1);
});

test("SIGTERM lets live calls go on and refuses new ones; a second signal exits at once", async () => {
  const { program, url } = await start();
  const session = await call(url);
  await program.printed(new RegExp(`running ${session}`));
  program.signal("SIGTERM");
  await program.printed(/SIGTERM: waiting for 1 call/);
  await expect(call(url)).rejects.toThrow(/503|fetch failed/);
  expect(program.stdout).not.toContain("stopped");
  program.signal("SIGTERM");
  expect(await program.ended).toBe(143);
});

test("SIGINT tells live bots to stop, and exits with 0", async () => {
  const { program, url } = await start();
  const session = await call(url);
  await program.printed(new RegExp(`running ${session}`));
  program.signal("SIGINT");
  expect(await program.ended).toBe(0);
  expect(program.stdout).toContain(`stopped ${session}`);
});

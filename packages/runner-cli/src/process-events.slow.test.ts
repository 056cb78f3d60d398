import { expect, test } from "vitest";
import { bin, call, startProgram } from "./test/program.ts";
import { createProject, manifestWithTransport } from "./test/temporary-project.ts";

/** Fails as its caller asks, or waits for its abort signal. SIGUSR2 causes errors outside every session. */
const failingBot = `
export function bot({ body, signal, sessionId }) {
  if (body.fail === "timer") setTimeout(() => { throw new Error("in a timer"); }, 1);
  if (body.fail === "promise") setTimeout(() => void Promise.reject(new Error("in a promise")), 1);
  if (body.fail === "late") return void setTimeout(() => void Promise.reject(new Error("after its end")), 50);
  console.log("running " + sessionId);
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(console.log("stopped " + sessionId))));
}
const failures = [() => void Promise.reject(new Error("a rejection outside sessions")), () => { throw new Error("an exception outside sessions"); }];
process.on("SIGUSR2", () => failures.shift()());
`;

/** Starts the bot above and answers where it listens. */
async function start() {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": failingBot });
  const program = startProgram(folder, [bin, "--port", "0"]);
  const [, url = ""] = await program.printed(/(http:\/\/localhost:[1-9]\d*)/);
  return { program, url };
}

/** The log lines of a session. */
function logOf(stdout: string, session: string): readonly Record<string, unknown>[] {
  const lines = stdout.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line)).filter((line) => line.session === session);
}

test("an uncaught error ends its session only; outside every session it ends the program with 1", async () => {
  const { program, url } = await start();
  const healthy = await call(url);
  await program.printed(new RegExp(`running ${healthy}`));

  // At once, because each one waits 3 s for its caller, to report the error.
  const failures = Object.entries({ timer: "in a timer", promise: "in a promise" });
  const ends = failures.map(async ([fail, message]) => {
    const session = await call(url, { fail });
    await program.printed(new RegExp(`stopped ${session}`));
    await program.printed(new RegExp(`"session":"${session}".*bot-failed`));
    expect(JSON.stringify(logOf(program.stdout, session))).toContain(message);
  });
  await Promise.all(ends);
  const late = await call(url, { fail: "late" });
  await program.printed(new RegExp(`"session":"${late}".*after its end`));

  program.signal("SIGUSR2");
  await program.printed(/a rejection outside sessions/);
  expect(program.stderr).not.toContain(`stopped ${healthy}`);

  program.signal("SIGUSR2");
  await program.printed(/an exception outside sessions/);
  await program.printed(new RegExp(`stopped ${healthy}`));
  expect(await program.ended).toBe(1);
});

test("an uncaught exception outside the session of --direct ends the program with 1", async () => {
  const folder = createProject({ "package.json": manifestWithTransport, "bot.js": failingBot });
  const program = startProgram(folder, [bin, "--direct"]);
  await program.printed(/running/);
  program.signal("SIGUSR2");
  await program.printed(/a rejection outside sessions/);
  program.signal("SIGUSR2");
  expect(await program.ended).toBe(1);
  expect(program.stdout).toContain("an exception outside sessions");
  expect(program.stderr).toContain("stopped");
});

test.each(["SIGTERM", "SIGHUP"] as const)(
  "%s rejects new calls and lets live calls continue; a second signal exits at once",
  async (signal) => {
    const { program, url } = await start();
    const session = await call(url);
    await program.printed(new RegExp(`running ${session}`));
    program.signal(signal);
    await program.printed(/waiting for calls to end/);
    await expect(call(url)).rejects.toThrow(/503|fetch failed/);
    expect(program.stderr).not.toContain("stopped");
    program.signal("SIGINT");
    expect(await program.ended).toBe(130);
  },
);

test("SIGINT aborts live bots and exits with 0", async () => {
  const { program, url } = await start();
  const session = await call(url);
  await program.printed(new RegExp(`running ${session}`));
  program.signal("SIGINT");
  expect(await program.ended).toBe(0);
  expect(program.stderr).toContain(`stopped ${session}`);
});

test("a signal while transports open ends the program without the banner", async () => {
  const folder = createProject({
    "package.json": manifestWithTransport,
    "bot.js": "export const bot = () => undefined;",
    "pipecat-runner.config.js": `
      async function open() {
        console.log("opening");
        await new Promise((resolve) => setTimeout(resolve, 500));
        return {};
      }
      export default { plugins: [{ apiVersion: 1, name: "slow", open }] };`,
  });
  const program = startProgram(folder, [bin, "--port", "0"]);
  await program.printed(/opening/);
  program.signal("SIGINT");
  expect(await program.ended).toBe(0);
  expect(program.stderr).toBe("opening\n");
});

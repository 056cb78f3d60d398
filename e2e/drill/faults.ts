import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dialers, twilioAccount } from "../server/callers.ts";
import type { BotFault } from "./bot.ts";
import type { DrilledRunner, DrilledRunnerOptions } from "./runner.ts";

/** Something that goes wrong beside calls. */
export interface Fault {
  readonly name: string;
  readonly runner?: DrilledRunnerOptions;
  /** It disturbs others by design, because all bots share one process. It never fails the drill. */
  readonly isShared?: boolean;
  /** Lets it happen for about `ms`. */
  run(runner: DrilledRunner, ms: number): Promise<unknown>;
}

const attacker = join(import.meta.dirname, "attacker.ts");
const account = { TWILIO_ACCOUNT_SID: twilioAccount.accountSid, TWILIO_AUTH_TOKEN: twilioAccount.authToken };

/** Nothing listens there. */
const deadTurnServer = { urls: "turn:127.0.0.1:9?transport=udp", username: "drill", credential: "secret" };

/** All faults. `silentPort`: a server on this machine that accepts connections and never answers. */
export function listFaults(silentPort: number): readonly Fault[] {
  return [
    { name: "none", run: (_, ms) => sleep(ms) },
    attack("bodies in one-byte chunks", "chunks"),
    attack("4 clients that send requests and read nothing", "pipelined"),
    attack("3,000 silent connections", "connections"),
    { ...attack("the file descriptors used up", "connections"), runner: { maxFiles: 400 } },
    attack("a caller whose sample rate changes with every frame", "rates"),
    attack("a caller with deep and long messages", "deep messages"),
    attack("a caller with 50,000 messages at once", "messages"),
    attack("a caller who pings without end", "pings"),
    attack("offers with 20,000 media ids, and 9,000 candidates", "candidates"),
    attack("40 offers a second that never connect", "offers"),
    attack("200 callers who hang up within a second", "hang-ups"),
    botFault("a bot that throws in a timer", { fault: "throw" }),
    { ...botFault("a bot that blocks for 5 s", { fault: "block", ms: 5_000 }), isShared: true },
    { ...botFault("a bot that allocates 400 MB", { fault: "allocate" }), isShared: true },
    botFault("the clock stepped forward by an hour", { fault: "clock", ms: 3_600_000 }),
    botFault("the clock stepped back by an hour", { fault: "clock", ms: -3_600_000 }),
    pausedCallers("two callers who stop for 3 s", 3_000),
    pausedCallers("two callers who stop for 30 s", 30_000),
    {
      name: "two callers whose program is killed",
      async run(runner, ms) {
        (await startCallers(runner, ms)).kill("SIGKILL");
        await sleep(ms);
      },
    },
    { name: "a log on a full disk", runner: { stdout: "/dev/full" }, run: newCalls },
    {
      name: "a log pipe that is closed",
      async run(runner, ms) {
        runner.process.stdout?.destroy();
        await newCalls(runner, ms);
      },
    },
    {
      name: "a log pipe that nobody reads",
      async run(runner, ms) {
        runner.process.stdout?.pause();
        await newCalls(runner, ms);
        runner.process.stdout?.resume();
      },
    },
    {
      name: "a TURN server that does not answer",
      runner: { args: ["--ice-servers", JSON.stringify(deadTurnServer)] },
      async run(runner, ms) {
        const caller = await runner.callByWebRTC().catch(() => undefined);
        await sleep(ms);
        await caller?.hangUp();
      },
    },
    phoneCalls("a carrier API whose name does not resolve", "https://api.invalid"),
    phoneCalls("a carrier API that does not answer", `http://127.0.0.1:${silentPort}`),
  ];
}

/** Runs an attacker of `attacker.ts` beside the calls. */
function attack(name: string, kind: string): Fault {
  return { name, run: (runner, ms) => ended(startAttacker(kind, runner, ms)) };
}

/** One more call, with a bot that does this. */
function botFault(name: string, fault: BotFault): Fault {
  return { name, run: (runner, ms) => ended(startAttacker("bot", runner, ms, fault)) };
}

/** The process of two callers, who speak, is stopped and continued: nothing is read or acknowledged meanwhile. */
function pausedCallers(name: string, pauseMs: number): Fault {
  return {
    name,
    async run(runner) {
      const child = await startCallers(runner, pauseMs + 6_000);
      await sleep(1_000);
      child.kill("SIGSTOP");
      await sleep(pauseMs);
      child.kill("SIGCONT");
      await ended(child);
    },
  };
}

/** Phone calls whose bots return, so that the runner hangs up through the carrier's API. */
function phoneCalls(name: string, apiUrl: string): Fault {
  return {
    name,
    runner: { env: { ...account, TWILIO_API_URL: apiUrl } },
    async run(runner, ms) {
      const callers = await Promise.all(
        Array.from({ length: 5 }, () => dialers.twilio(runner, { fault: "return", ms: 500 } satisfies BotFault)),
      );
      await Promise.race([Promise.all(callers.map(({ closed }) => closed)), sleep(ms)]);
      for (const caller of callers) caller.drop();
    },
  };
}

/** Short calls, which are logged. */
async function newCalls(runner: DrilledRunner, ms: number): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(100)) {
    await (await runner.call()).hangUp();
  }
}

async function startCallers(runner: DrilledRunner, ms: number): Promise<ChildProcess> {
  const child = startAttacker("callers", runner, ms);
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

function startAttacker(kind: string, { port }: DrilledRunner, ms: number, body: object = {}): ChildProcess {
  const args = [attacker, kind, `${port}`, `${ms}`, JSON.stringify(body)];
  // The callers that are measured come first.
  return spawn("nice", ["-n", "10", process.execPath, ...args], { stdio: ["ignore", "pipe", "inherit"] });
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/**
 * `pnpm soak [TRANSPORT …] [workers] [--sessions 2000]`: runs many sessions of each transport, which end in every way, and prints what
 * they leave behind. `workers` runs them through child processes that take one call each. Exits with 1 when they leave anything, or when
 * live memory grows with each session. Takes some minutes per transport, and half an hour for `workers`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { tone } from "@pipecat-ts/runner-testing";
import { soakWorkers } from "./isolation/soak.ts";
import { type Dial, dialers } from "./server/callers.ts";
import { growthOf } from "./server/expectations.ts";
import { type Server, type ServerTransport, startServer } from "./server/server.ts";

/** What the sessions of one transport left behind. */
interface Result {
  readonly sessions: number;
  readonly seconds: number;
  /** The number of ended sessions, by reason. */
  readonly endings: Readonly<Record<string, number>>;
  /** What the server holds more than before the first session. */
  readonly left: readonly string[];
  /** Memory that each session of the second half added: the slope of a line fitted to the samples. */
  readonly bytesPerSession: {
    /** Referenced objects and their buffers. */
    readonly live: number;
    /** Resident memory, including what the allocators keep for later. */
    readonly resident: number;
  };
  /** What went wrong while the server drained. */
  readonly drainFailures: readonly string[];
}

/** The largest allowed growth per session. A leaked session is ten times as large: its buffers alone are 50 kB. */
const maxBytesPerSession = 5_000;
const atATime = 10;
const samples = 20;
const drainingCalls = 20;
/** A session without a caller ends after 120 s. */
const abandonedMs = 125_000;

/** How sessions go, in turn. */
const scenarios: readonly ((server: Server, dial: Dial) => Promise<unknown>)[] = [
  hangUp,
  hangUp,
  vanish,
  hangUp,
  (server, dial) => crash(server, dial, "timer"),
  hangUp,
  (server) => server.start({ transport: "carrier-pigeon" }),
  vanish,
  (server, dial) => crash(server, dial, "body"),
  (server) => server.start(),
];

/** Runs `sessions` calls that end in every way, then drains the server with twenty calls. */
async function soak(transport: ServerTransport, sessions: number): Promise<Result> {
  const startedMs = performance.now();
  const dial = dialers[transport];
  const pluginOptions = transport === "webrtc" ? { webrtc: { callerTimeout: 5 } } : {};
  await using server = await startServer({ transports: [transport], pluginOptions });
  await hangUp(server, dial);
  await ended(server, 10_000);
  const before = await server.ask("holdings");
  const memory: { readonly sessions: number; readonly live: number; readonly resident: number }[] = [];
  for (let part = 0; part < samples; part++) {
    const [from, to] = [part, part + 1].map((index) => Math.round((sessions * index) / samples)) as [number, number];
    await run(server, dial, from, to);
    const { liveBytes: live, rssBytes: resident } = await server.ask("holdings");
    memory.push({ sessions: to, live, resident });
  }
  await ended(server, abandonedMs);
  const left = await leftAfter(server, before);
  const secondHalf = memory.slice(samples / 2);
  const endings = Object.groupBy(
    server.log.filter(({ msg }) => msg.startsWith("session ended")),
    ({ reason = "" }) => reason,
  );
  return {
    sessions,
    endings: Object.fromEntries(Object.entries(endings).map(([reason, of]) => [reason, of?.length ?? 0])),
    left,
    bytesPerSession: {
      live: slope(secondHalf.map((each) => [each.sessions, each.live])),
      resident: slope(secondHalf.map((each) => [each.sessions, each.resident])),
    },
    drainFailures: await drain(server, dial),
    seconds: Math.round((performance.now() - startedMs) / 1000),
  };
}

async function run(server: Server, dial: Dial, from: number, to: number): Promise<void> {
  let next = from;
  const one = async () => {
    while (next < to) await scenarios[next++ % scenarios.length]?.(server, dial);
  };
  await Promise.all(Array.from({ length: atATime }, one));
}

async function hangUp(server: Server, dial: Dial): Promise<void> {
  const caller = await dial(server);
  caller.sendAudio(tone(440, { durationMs: 20, sampleRate: caller.sampleRate }));
  await sleep(100);
  await caller.hangUp();
}

async function vanish(server: Server, dial: Dial): Promise<void> {
  const caller = await dial(server);
  caller.drop();
  await caller.closed;
}

/** The bot may fail before the caller is connected. */
async function crash(server: Server, dial: Dial, how: "body" | "timer"): Promise<void> {
  const caller = await dial(server, { crash: how }).catch(() => undefined);
  await caller?.closed;
}

async function ended(server: Server, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { pending, active } = await server.ask("counts");
    if (pending + active === 0) return;
    if (performance.now() > deadline) throw new Error(`${pending} sessions are still pending and ${active} active.`);
    await sleep(100);
  }
}

/** What the server still holds after up to 10 s. */
async function leftAfter(server: Server, before: Awaited<ReturnType<typeof holdings>>): Promise<string[]> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const left = growthOf(before, await holdings(server));
    if (left.length === 0 || performance.now() > deadline) return left;
    await sleep(100);
  }
}

function holdings(server: Server) {
  return server.ask("holdings");
}

/** A draining server keeps its calls, rejects new ones, and exits by itself. Returns what went wrong. */
async function drain(server: Server, dial: Dial): Promise<string[]> {
  const callers = await Promise.all(Array.from({ length: drainingCalls }, () => dial(server)));
  server.terminate();
  await server.logged("waiting for calls to end");
  const isRejected = await dial(server).then(
    () => false,
    () => true,
  );
  await sleep(2_000); // long enough for the server to cut a call, if it did
  const { active } = await server.ask("counts");
  await Promise.all(callers.map((caller) => caller.hangUp()));
  const code = await server.exited;
  return [
    ...(isRejected ? [] : ["the draining server accepted a caller"]),
    ...(active === drainingCalls ? [] : [`${drainingCalls - active} of ${drainingCalls} calls were cut`]),
    ...(code === 0 ? [] : [`the server exited with code ${code}`]),
  ];
}

/** The slope of the least-squares line through the points. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [x, y] = [mean(points.map(([each]) => each)), mean(points.map(([, each]) => each))];
  const spread = points.reduce((sum, [each]) => sum + (each - x) ** 2, 0);
  return points.reduce((sum, [eachX, eachY]) => sum + (eachX - x) * (eachY - y), 0) / spread;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { sessions: { type: "string", default: "2000" } },
});
const transports = Object.keys(dialers) as ServerTransport[];
const unknown = positionals.find((name) => name !== "workers" && !Object.hasOwn(dialers, name));
if (unknown !== undefined) throw new Error(`"${unknown}" is not a transport. Use ${transports.join(", ")} or workers.`);
const inKb = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`;

for (const transport of transports) {
  if (positionals.length > 0 && !positionals.includes(transport)) continue;
  const { endings, left, drainFailures, bytesPerSession, seconds, sessions } = await soak(
    transport,
    Number(values.sessions),
  );
  const reasons = Object.entries(endings).map(([reason, count]) => `${reason} ${count}`);
  console.log(`${transport}: ${sessions} sessions in ${seconds} s; ended: ${reasons.join(", ")}`);
  console.log(
    `  left: ${left.join("; ") || "nothing"}; per session: ${inKb(bytesPerSession.live)} live, ${inKb(bytesPerSession.resident)} resident`,
  );
  console.log(
    `  drained with ${drainingCalls} calls: ${drainFailures.join("; ") || "no call cut, no new call accepted"}`,
  );
  if (left.length > 0 || drainFailures.length > 0 || bytesPerSession.live > maxBytesPerSession) process.exitCode = 1;
}

if (positionals.length === 0 || positionals.includes("workers")) {
  const { failures, before, after, end, seconds } = await soakWorkers(Number(values.sessions));
  const text = (value: object) => JSON.stringify(value).replaceAll('"', "");
  console.log(`workers: ${values.sessions} sessions in ${seconds} s; failed: ${failures.length}`);
  for (const failure of new Set(failures)) console.log(`  ${failure}`);
  console.log(`  held before: ${text(before)}, after: ${text(after)}, when the gateway had ended: ${text(end)}`);
  const isLeft = text(before) !== text(after) || end.code !== 0 || end.processes + end.files > 0;
  if (failures.length > 0 || isLeft) process.exitCode = 1;
}

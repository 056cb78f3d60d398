import { setTimeout as sleep } from "node:timers/promises";
import { tone } from "@pipecat-ts/runner-testing";
import { type Dial, dialers } from "../server/dialers.ts";
import { growthOf } from "../server/growth.ts";
import { type Server, type ServerTransport, startServer } from "../server/server-process.ts";

/** What many sessions of one transport left behind. */
export interface Soaked {
  readonly transport: ServerTransport;
  readonly sessions: number;
  readonly seconds: number;
  /** How many sessions ended, by reason. */
  readonly endings: Readonly<Record<string, number>>;
  /** What the server holds more than before the first. Empty when all is well. */
  readonly left: readonly string[];
  /** What each session of the second half added to the server's memory, by the line that fits it best. */
  readonly bytesPerSession: {
    /** Objects that are still referred to, and their buffers. */
    readonly live: number;
    /** With all that the allocators keep for later. */
    readonly resident: number;
  };
  /** What went wrong while it drained. Empty when all is well. */
  readonly drained: readonly string[];
}

const atATime = 10;
const samples = 20;
const drainingCalls = 20;
/** A session that nobody came to ends after 120 s. */
const abandonedMs = 125_000;

/** What becomes of the sessions, one after the other and over again. */
const fates: readonly ((server: Server, dial: Dial) => Promise<unknown>)[] = [
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

/** Lives through `sessions` calls by one transport, that end in every way, then drains a server that takes twenty. */
export async function soak(transport: ServerTransport, sessions: number): Promise<Soaked> {
  const startedMs = performance.now();
  const dial = dialers[transport];
  // Who vanishes by WebRTC is missed after this long, in s.
  const pluginOptions = transport === "webrtc" ? { webrtc: { callerTimeout: 5 } } : {};
  await using server = await startServer({ transport, pluginOptions });
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
    transport,
    sessions,
    endings: Object.fromEntries(Object.entries(endings).map(([reason, of]) => [reason, of?.length ?? 0])),
    left,
    bytesPerSession: {
      live: slope(secondHalf.map((each) => [each.sessions, each.live])),
      resident: slope(secondHalf.map((each) => [each.sessions, each.resident])),
    },
    drained: await drain(server, dial),
    seconds: Math.round((performance.now() - startedMs) / 1000),
  };
}

async function run(server: Server, dial: Dial, from: number, to: number): Promise<void> {
  let next = from;
  const one = async () => {
    while (next < to) await fates[next++ % fates.length]?.(server, dial);
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

/** The bot may be gone before the caller is through. */
async function crash(server: Server, dial: Dial, how: "body" | "timer"): Promise<void> {
  const caller = await dial(server, how).catch(() => undefined);
  await caller?.closed;
}

async function ended(server: Server, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { pending, active } = await server.ask("counts");
    if (pending + active === 0) return;
    if (performance.now() > deadline) throw new Error(`${pending} sessions still wait, and ${active} are active.`);
    await sleep(100);
  }
}

/** Waits a while for the server to let go of what it no longer needs. */
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

/** A server that drains cuts nobody off, turns everybody else away, and ends by itself. */
async function drain(server: Server, dial: Dial): Promise<string[]> {
  const callers = await Promise.all(Array.from({ length: drainingCalls }, () => dial(server)));
  server.terminate();
  await server.logged("SIGTERM");
  const refused = await dial(server).then(
    () => false,
    () => true,
  );
  await sleep(2_000);
  const { active } = await server.ask("counts");
  await Promise.all(callers.map((caller) => caller.hangUp()));
  const code = await server.exited;
  return [
    ...(refused ? [] : ["a caller was let in while the server drained"]),
    ...(active === drainingCalls ? [] : [`${drainingCalls - active} of ${drainingCalls} calls were cut off`]),
    ...(code === 0 ? [] : [`the server ended with ${code}`]),
  ];
}

/** Of the line through the points with the least squares. */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length;
  const [x, y] = [mean(points.map(([each]) => each)), mean(points.map(([, each]) => each))];
  const spread = points.reduce((sum, [each]) => sum + (each - x) ** 2, 0);
  return points.reduce((sum, [eachX, eachY]) => sum + (eachX - x) * (eachY - y), 0) / spread;
}

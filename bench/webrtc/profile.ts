import { type Profiler, Session } from "node:inspector/promises";

/** Where a process spent its time: percent of its busy time, by part, the largest first. */
export type TimeShares = Readonly<Record<string, number>>;

type Frame = Profiler.ProfileNode["callFrame"];

/** The part that a stack frame belongs to. The innermost frame with a part counts. */
const parts: readonly (readonly [part: string, belongs: (frame: Frame) => boolean])[] = [
  ["Opus", ({ url }) => url.startsWith("wasm:") || url.includes("libopus-wasm")],
  ["SRTP", ({ functionName, url }) => /packet-cipher/.test(url) || /^(en|de)crypt(Rtp|RTCP)$/.test(functionName)],
  ["UDP sockets", ({ url }) => url === "node:dgram" || url.endsWith("/udp-transport.ts")],
  ["werift", ({ url }) => url.includes("/werift/")],
  ["runner-webrtc: voice", ({ url }) => url.includes("/runner-webrtc/src/voice/")],
  ["runner-webrtc: the rest", ({ url }) => url.includes("/runner-webrtc/src/")],
  ["runner-media", ({ url }) => /\/packages\/(runner-media|audio)\//.test(url)],
  ["web streams", ({ url }) => url.startsWith("node:internal/webstreams")],
  ["timers and promises", ({ url }) => /^node:internal\/(timers|process\/task_queues)/.test(url)],
  ["garbage collection", ({ functionName }) => functionName === "(garbage collector)"],
  ["native code outside JavaScript", ({ functionName }) => functionName === "(program)"],
];

const itself = "the profiler";

/** Samples the call stacks of this process until the returned function is called. */
export async function startProfile(): Promise<() => Promise<TimeShares>> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 500 });
  await session.post("Profiler.start");
  return async () => {
    const { profile } = await session.post("Profiler.stop");
    session.disconnect();
    return sharesOf(profile);
  };
}

function sharesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): TimeShares {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const partOf = (id: number | undefined): string => {
    const node = id === undefined ? undefined : byId.get(id);
    if (node === undefined) return "other";
    if (node.callFrame.functionName === startProfile.name) return itself;
    return parts.find(([, belongs]) => belongs(node.callFrame))?.[0] ?? partOf(parents.get(node.id));
  };
  const micros = new Map<string, number>();
  for (const [index, id] of samples.entries()) {
    if (byId.get(id)?.callFrame.functionName === "(idle)") continue;
    const part = partOf(id);
    if (part === itself) continue;
    micros.set(part, (micros.get(part) ?? 0) + (timeDeltas[index] ?? 0));
  }
  const busy = [...micros.values()].reduce((sum, each) => sum + each, 0);
  const shares = [...micros].map(([part, time]) => [part, (100 * time) / busy] as const);
  return Object.fromEntries(shares.sort(([, one], [, other]) => other - one));
}

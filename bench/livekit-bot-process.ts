/** The process with the bots of `livekit-bots.ts`. */
import type { AudioFrame } from "@pipecat-ts/audio";
import { connectLiveKit } from "@pipecat-ts/runner-livekit";
import { createStandaloneTransport } from "@pipecat-ts/runner-media";
import { tone } from "@pipecat-ts/runner-testing";

/** One of these fields is set. */
export interface BotRequest {
  readonly join?: { readonly url: string; readonly token: string };
  /** The bot with this index says a word. */
  readonly speak?: number;
  /** All bots play back what they receive. */
  readonly echo?: true;
  readonly usage?: true;
}

export interface BotEvent {
  readonly name: "joinedMs" | "spokeAtMs" | "heardAtMs" | "echoes" | "usage";
  readonly value?: unknown;
}

export interface Usage {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly rss: number;
}

const nothing = () => undefined;
const silent = { debug: nothing, info: nothing, warn: nothing, error: nothing, child: () => silent };
const transports: Awaited<ReturnType<typeof join>>[] = [];
const now = () => performance.timeOrigin + performance.now();
const send = (name: BotEvent["name"], value?: unknown) => process.send?.({ name, value } satisfies BotEvent);
let quietAtMs = 0;

process.on("message", async (request: BotRequest) => {
  if (request.join) {
    const startMs = performance.now();
    transports.push(await join(request.join));
    send("joinedMs", performance.now() - startMs);
  }
  if (request.speak !== undefined) {
    transports[request.speak]?.play(utterance());
    send("spokeAtMs", now());
  }
  if (request.echo) {
    for (const transport of transports) void transport.listen().pipeTo(transport.output);
    send("echoes");
  }
  if (request.usage) {
    const { user, system } = process.cpuUsage();
    send("usage", { atMs: now(), cpuMs: (user + system) / 1000, rss: process.memoryUsage.rss() } satisfies Usage);
  }
});

async function join({ url, token }: { readonly url: string; readonly token: string }) {
  const transport = await createStandaloneTransport({
    name: "livekit",
    logger: silent,
    connect: (call) => connectLiveKit(call, { url, token, logger: silent }),
  });
  void transport.input.pipeTo(new WritableStream({ write: detect }));
  return transport;
}

/** Reports the first loud frame after a pause. */
function detect({ samples }: AudioFrame): void {
  if (!samples.some((sample) => Math.abs(sample) > 3_000)) return;
  if (performance.now() > quietAtMs) send("heardAtMs", now());
  quietAtMs = performance.now() + 100;
}

async function* utterance() {
  yield tone(440, { durationMs: 200, sampleRate: 24_000 });
}

import type { AudioFrame } from "@pipecat-ts/audio";
import { join, measureLevel, syllables } from "@pipecat-ts/runner-testing";
import type { AudioPacket } from "../../peer/peer.ts";
import { createIncomingAudio, type IncomingAudioCounters } from "../incoming-audio.ts";
import { loadOpus, type OpusSampleRate } from "../opus.ts";
import { encodePackets } from "./incoming-fixture.ts";
import { createSteadyPacer } from "./steady-pacer.ts";

/** How a simulated network treats the caller's packets. The same seed gives the same result. */
export interface NetworkConditions {
  readonly durationMs: number;
  /** Packet loss in %. */
  readonly lossPercent?: number;
  /** Jitter in ms: packets are delayed by a uniformly distributed time up to this. */
  readonly jitterMs?: number;
  /** How much faster the caller's clock is, in ppm. */
  readonly skewPpm?: number;
  readonly seed?: number;
  readonly sampleRate?: OpusSampleRate;
}

export interface NetworkFigures {
  readonly lostPercent: number;
  /** Shares of the audio that were concealed, and restored from in-band FEC. */
  readonly concealedPercent: number;
  readonly recoveredPercent: number;
  /** How long the fastest packets waited. */
  readonly delayMs: { readonly mean: number; readonly max: number };
  /** Level of the received audio relative to the sent audio. */
  readonly gainDb: number;
  readonly received: AudioFrame;
  readonly counters: Readonly<IncomingAudioCounters>;
}

/** For tests: sends speech through a simulated network, without waiting, and measures what is received. */
export async function measureLossyNetwork(conditions: NetworkConditions): Promise<NetworkFigures> {
  const { durationMs, sampleRate = 16_000 } = conditions;
  const speech = syllables(150, { durationMs: speechMs, sampleRate });
  const opus = await loadOpus();
  const pacer = createSteadyPacer();
  const startMs = pacer.clock.now();
  const frames: AudioFrame[] = [];
  const delays: number[] = [];
  const incoming = createIncomingAudio({
    opus,
    sampleRate,
    pacer,
    onFrame(frame) {
      frames.push(frame);
      delays.push(incoming.delayMs);
    },
    onDecoderFailed(error) {
      throw error;
    },
  });
  const arrivals = transfer(await encodePackets(speech), startMs, conditions);
  for (const { atMs, packet } of arrivals) {
    pacer.advanceTo(atMs);
    incoming.push(packet);
  }
  pacer.advanceTo((arrivals.at(-1)?.atMs ?? 0) + 20);
  const { counters } = incoming;
  incoming.close();
  const received = join(frames);
  const percent = (ms: number) => (ms / (frames.length * 20)) * 100;
  return {
    lostPercent: 100 - (arrivals.length / (durationMs / 20)) * 100,
    concealedPercent: percent(counters.concealedMs),
    recoveredPercent: percent(counters.recoveredMs),
    delayMs: { mean: delays.reduce((sum, delay) => sum + delay, 0) / delays.length, max: Math.max(...delays) },
    gainDb: measureLevel(received) - measureLevel(speech),
    received,
    counters,
  };
}

/** The caller repeats this much speech: whole syllables, so that the end joins the beginning. */
const speechMs = 8_000;

interface Arrival {
  readonly atMs: number;
  readonly packet: AudioPacket;
}

/** Returns the packets that arrive, in order of arrival. Sequence numbers and timestamps wrap on the way. */
function transfer(packets: readonly Uint8Array[], startMs: number, conditions: NetworkConditions): Arrival[] {
  const { durationMs, lossPercent = 0, jitterMs = 0, skewPpm = 0, seed = 1 } = conditions;
  const random = createRandom(seed);
  const arrivals: Arrival[] = [];
  for (let index = 0; index * 20 < durationMs; index++) {
    const payload = packets[index % packets.length] as Uint8Array;
    const atMs = startMs + (index * 20) / (1 + skewPpm / 1e6) + random() * jitterMs;
    if (random() * 100 < lossPercent) continue;
    const packet = { payload, sequenceNumber: (65_500 + index) & 0xffff, timestamp: (index * 960 - 48_000) >>> 0 };
    arrivals.push({ atMs, packet });
  }
  return arrivals.sort((a, b) => a.atMs - b.atMs);
}

/** Pseudo-random numbers from 0 to 1: a linear congruential generator with the constants of Numerical Recipes. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

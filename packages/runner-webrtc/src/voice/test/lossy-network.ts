import type { AudioFrame } from "@pipecat-ts/audio";
import { join, measureLevel, syllables } from "@pipecat-ts/runner-testing";
import type { AudioPacket } from "../../peer/peer.ts";
import { createIncomingAudio, type IncomingAudioCounters } from "../incoming-audio.ts";
import { loadOpus, type OpusSampleRate } from "../opus.ts";
import { encodePackets } from "./incoming-stage.ts";
import { createSteadyPacer } from "./steady-pacer.ts";

/** What a network does to a caller's packets, the same every time for the same seed. */
export interface NetworkConditions {
  readonly durationMs: number;
  /** How many packets it loses, in %. */
  readonly lossPercent?: number;
  /** How much longer than the quickest packets others take, in ms: any time up to it, evenly spread. */
  readonly jitterMs?: number;
  /** How much faster than this machine's the caller's clock goes, in millionths. */
  readonly skewPpm?: number;
  readonly seed?: number;
  readonly sampleRate?: OpusSampleRate;
}

/** What the bot heard. */
export interface NetworkFigures {
  readonly lostPercent: number;
  /** How much of the time was guessed, and how much came from the copies that packets hold of the ones before. */
  readonly concealedPercent: number;
  readonly recoveredPercent: number;
  /** How long the quickest packets waited, in ms. */
  readonly delayMs: { readonly mean: number; readonly max: number };
  /** How much louder than what the caller said it was. */
  readonly louderDb: number;
  readonly heard: AudioFrame;
  readonly counters: Readonly<IncomingAudioCounters>;
}

/** Has a caller talk through a bad network, in no time, and measures what is heard. */
export async function measureLossyNetwork(conditions: NetworkConditions): Promise<NetworkFigures> {
  const { durationMs, sampleRate = 16_000 } = conditions;
  const said = syllables(150, { durationMs: saidMs, sampleRate });
  const opus = await loadOpus();
  const pacer = createSteadyPacer();
  const startMs = pacer.clock.now();
  const frames: AudioFrame[] = [];
  const delays: number[] = [];
  const incoming = createIncomingAudio({
    opus,
    sampleRate,
    pacer,
    take(frame) {
      frames.push(frame);
      delays.push(incoming.delayMs);
    },
    failed(error) {
      throw error;
    },
  });
  const arrivals = carry(await encodePackets(said), startMs, conditions);
  for (const { atMs, packet } of arrivals) {
    pacer.advanceTo(atMs);
    incoming.push(packet);
  }
  pacer.advanceTo((arrivals.at(-1)?.atMs ?? 0) + 20);
  const { counters } = incoming;
  incoming.close();
  const heard = join(frames);
  const percent = (ms: number) => (ms / (frames.length * 20)) * 100;
  return {
    lostPercent: 100 - (arrivals.length / (durationMs / 20)) * 100,
    concealedPercent: percent(counters.concealedMs),
    recoveredPercent: percent(counters.recoveredMs),
    delayMs: { mean: delays.reduce((sum, delay) => sum + delay, 0) / delays.length, max: Math.max(...delays) },
    louderDb: measureLevel(heard) - measureLevel(said),
    heard,
    counters,
  };
}

/** What the caller says, over and over: whole syllables, so that the end meets the beginning. */
const saidMs = 8_000;

interface Arrival {
  readonly atMs: number;
  readonly packet: AudioPacket;
}

/** What arrives, in the order of arrival: the packets over and over. Both sequence and timestamp wrap on the way. */
function carry(packets: readonly Uint8Array[], startMs: number, conditions: NetworkConditions): Arrival[] {
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
  return arrivals.sort((one, other) => one.atMs - other.atMs);
}

/** Numbers from 0 to 1, the same ones for the same seed: a linear congruential generator with the constants of Numerical Recipes. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

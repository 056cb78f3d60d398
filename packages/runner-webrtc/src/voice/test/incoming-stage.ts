import type { AudioFrame } from "@pipecat-ts/audio";
import { cut } from "@pipecat-ts/runner-testing";
import { createIncomingAudio, type IncomingAudio } from "../incoming-audio.ts";
import { loadOpus, type OpusSampleRate } from "../opus.ts";
import { createSteadyPacer, type SteadyPacer } from "./steady-pacer.ts";

/** For tests: a caller whose packets come exactly when the test says, and what is made of them. Time starts at 1,000 ms. */
export interface IncomingStage {
  readonly incoming: IncomingAudio;
  readonly pacer: SteadyPacer;
  readonly given: { readonly atMs: number; readonly frame: AudioFrame }[];
  /** Has a packet come at a time. Packet `index` is 20 ms after the one before; `change` is what is different about it. */
  arrive(atMs: number, index: number, payload: Uint8Array, change?: { sequence?: number; timestamp?: number }): void;
  /** Has packets come in time, 20 ms apart, from `1000 + 20 × from` ms on. */
  flow(payloads: readonly Uint8Array[], from?: number): void;
}

export async function createIncomingStage(sampleRate = 16_000): Promise<IncomingStage> {
  const pacer = createSteadyPacer();
  const given: { readonly atMs: number; readonly frame: AudioFrame }[] = [];
  const opus = await loadOpus();
  const incoming = createIncomingAudio({
    opus,
    sampleRate,
    pacer,
    take: (frame) => given.push({ atMs: pacer.clock.now(), frame }),
    failed(error) {
      throw error;
    },
  });
  await new Promise((resolve) => setImmediate(resolve)); // the decoder is made by now

  function arrive(
    atMs: number,
    index: number,
    payload: Uint8Array,
    change: { sequence?: number; timestamp?: number } = {},
  ) {
    pacer.advanceTo(atMs);
    const sequence = change.sequence ?? index;
    const timestamp = change.timestamp ?? index * 960;
    incoming.push({ payload, sequenceNumber: sequence & 0xffff, timestamp: timestamp >>> 0 });
  }

  return {
    incoming,
    pacer,
    given,
    arrive,
    flow(payloads, from = 0) {
      for (const [index, payload] of payloads.entries()) arrive(1_000 + (from + index) * 20, from + index, payload);
    },
  };
}

/** The packets of a sound, 20 ms each, as a browser would send them. */
export async function encodePackets(audio: AudioFrame): Promise<Uint8Array[]> {
  const encoder = await (await loadOpus()).createEncoder({ sampleRate: audio.sampleRate as OpusSampleRate });
  const packets = cut(audio).map(({ samples }) => encoder.encode(samples));
  encoder.free();
  return packets;
}

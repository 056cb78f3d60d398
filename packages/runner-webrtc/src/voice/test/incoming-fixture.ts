import type { AudioFrame } from "@pipecat-ts/audio";
import { cut } from "@pipecat-ts/runner-testing";
import { createIncomingAudio, type IncomingAudio } from "../incoming-audio.ts";
import { loadOpus, type OpusSampleRate } from "../opus.ts";
import { createSteadyPacer, type SteadyPacer } from "./steady-pacer.ts";

/** For tests: incoming audio whose packets arrive exactly when the test says. Time starts at 1,000 ms. */
export interface IncomingFixture {
  readonly incoming: IncomingAudio;
  readonly pacer: SteadyPacer;
  readonly frames: { readonly atMs: number; readonly frame: AudioFrame }[];
  /** Delivers a packet at a time. Packet `index` is 20 ms after the one before; `change` overrides its numbers. */
  deliver(atMs: number, index: number, payload: Uint8Array, change?: { sequence?: number; timestamp?: number }): void;
  /** Delivers packets without jitter, 20 ms apart, from `1000 + 20 × from` ms on. */
  deliverAll(payloads: readonly Uint8Array[], from?: number): void;
}

export async function createIncomingFixture(sampleRate = 16_000): Promise<IncomingFixture> {
  const pacer = createSteadyPacer();
  const frames: { readonly atMs: number; readonly frame: AudioFrame }[] = [];
  const opus = await loadOpus();
  const incoming = createIncomingAudio({
    opus,
    sampleRate,
    pacer,
    onFrame: (frame) => frames.push({ atMs: pacer.clock.now(), frame }),
    onDecoderFailed(error) {
      throw error;
    },
  });
  await decoderCreated();

  function deliver(
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
    frames,
    deliver,
    deliverAll(payloads, from = 0) {
      for (const [index, payload] of payloads.entries()) deliver(1_000 + (from + index) * 20, from + index, payload);
    },
  };
}

/** Resolves when the decoder of a new or restarted `IncomingAudio` has been created. */
export async function decoderCreated(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

/** Encodes audio to packets of 20 ms with in-band FEC, as Chromium does. */
export async function encodePackets(audio: AudioFrame): Promise<Uint8Array[]> {
  const sampleRate = audio.sampleRate as OpusSampleRate;
  const encoder = await (await loadOpus()).createEncoder({ sampleRate, bitrate: 32_000, fec: true });
  const packets = cut(audio).map(({ samples }) => encoder.encode(samples));
  encoder.free();
  return packets;
}

import type { AudioFrame } from "@pipecat-ts/audio";
import type { Call, CloseReason, Logger, MediaPort, Pacer, TransportParams } from "@pipecat-ts/runner-core";
import { createPacer } from "../pacer.ts";
import { createStandaloneCall } from "../standalone.ts";
import { createFakeClock, type FakeClock } from "./fake-clock.ts";

/** One call on a fake wire that records everything. */
export interface FakeCall {
  readonly clock: FakeClock;
  readonly pacer: Pacer;
  readonly transport: ReturnType<ReturnType<typeof createStandaloneCall>["attach"]>;
  readonly caller: Call;
  /** Sent frames and when they were sent. */
  readonly sent: { readonly atMs: number; readonly frame: AudioFrame }[];
  /** When the far end was told to clear. */
  readonly clears: number[];
  /** Requested marks and when they were requested. */
  readonly marks: { readonly atMs: number; readonly mark: string }[];
  readonly hangUps: CloseReason[];
  readonly warnings: string[];
  /** The audio that was sent from `fromMs` on, as runs of equal samples: `[[7, 40]]` is 40 ms of samples with the value 7. */
  sentAudio(fromMs?: number): [value: number, ms: number][];
}

export interface FakeCallOptions {
  readonly params?: TransportParams;
  readonly clock?: FakeClock;
  readonly pacer?: Pacer;
  /** Replaces parts of the port: 16,000 Hz, frames of 20 ms. */
  readonly port?: Partial<MediaPort>;
  /** Whether the caller is connected from the start. Default true. */
  readonly connected?: boolean;
  /** Whether the far end can clear, and whether it reports marks. Default: neither. */
  readonly clears?: boolean;
  readonly marks?: boolean;
  /** Called while the wire is being opened. */
  onOpen?(caller: Call): void;
}

export function createFakeCall(options: FakeCallOptions = {}): FakeCall {
  const clock = options.clock ?? createFakeClock();
  const pacer = options.pacer ?? createPacer({ clock });
  const sent: { readonly atMs: number; readonly frame: AudioFrame }[] = [];
  const clears: number[] = [];
  const marks: { readonly atMs: number; readonly mark: string }[] = [];
  const hangUps: CloseReason[] = [];
  const warnings: string[] = [];

  const owned = createStandaloneCall({
    name: "fake",
    params: options.params ?? {},
    pacer,
    logger: recordingLogger(warnings),
  });
  const { call: there } = owned;
  options.onOpen?.(there);
  const transport = owned.attach({
    sampleRates: [16_000],
    frameMs: 20,
    send: (frame) => sent.push({ atMs: clock.now(), frame }),
    ...(options.clears ? { clear: () => clears.push(clock.now()) } : {}),
    ...(options.marks ? { mark: (mark: string) => marks.push({ atMs: clock.now(), mark }) } : {}),
    close: (reason) => void hangUps.push(reason),
    ...options.port,
  });
  if (options.connected ?? true) there.connected();

  return {
    clock,
    pacer,
    transport,
    caller: there,
    sent,
    clears,
    marks,
    hangUps,
    warnings,
    sentAudio: (fromMs = 0) => runs(sent.filter(({ atMs }) => atMs >= fromMs).map(({ frame }) => frame)),
  };
}

/** `ms` of audio whose samples all have one value, so that a test can recognize it. */
export function steady(value: number, ms: number, sampleRate = 16_000, channels = 1): AudioFrame {
  const samples = new Int16Array(Math.round((ms * sampleRate) / 1000) * channels).fill(value);
  return { samples, sampleRate, channels };
}

/** Frames of 20 ms whose values count up from `first`. */
export function counting(first: number, count: number): AudioFrame[] {
  return Array.from({ length: count }, (_, index) => steady(first + index, 20));
}

/** The values of counting frames, without silence. */
export function values(audio: readonly [number, number][]): number[] {
  return audio.map(([value]) => value).filter((value) => value !== 0);
}

function runs(frames: readonly AudioFrame[]): [number, number][] {
  const found: [number, number][] = [];
  for (const { samples, sampleRate } of frames) {
    for (const sample of samples) {
      const last = found.at(-1);
      if (last?.[0] === sample) last[1] += 1000 / sampleRate;
      else found.push([sample, 1000 / sampleRate]);
    }
  }
  return found.map(([value, ms]) => [value, Math.round(ms * 100) / 100]);
}

/** A logger that records warnings and errors. */
export function recordingLogger(warnings: string[]): Logger {
  const note = (...line: [string] | [object, string]) => void warnings.push(String(line.at(-1)));
  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: note,
    error: note,
    child: () => logger,
  };
  return logger;
}

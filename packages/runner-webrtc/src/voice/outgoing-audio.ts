import type { AudioFrame } from "@pipecat-ts/audio";
import type { Pacer } from "@pipecat-ts/runner-core";
import { type Opus, type OpusEncoder, type OpusSampleRate, type OpusSettings, opusSampleRates } from "./opus.ts";

/** Turns the bot's audio into Opus packets, for a continuous `MediaPort` with frames of 20 ms. */
export interface OutgoingAudio {
  /** The sample rates that frames may have, in Hz, the preferred one first. */
  readonly sampleRates: readonly [number, ...number[]];
  /**
   * Sends 20 ms of mono audio: the first frame of a sample rate in the next turn of the event loop, every other one at once.
   * Throws RangeError for an unsupported rate or length, and the error with which creating the encoder failed.
   */
  send(frame: AudioFrame): void;
  /**
   * Takes the caller's report of the share of packets lost, in %. A report of loss turns in-band FEC on, and the tenth report in
   * a row without loss turns it off.
   */
  reportLoss(percent: number): void;
  /** Drops what the encoder still holds: the last 6.5 ms, and the FEC that the next packet would contain. */
  clear(): void;
  /** Frees the encoder. May be called more than once; frames sent later are dropped. */
  close(): void;
}

/** Puts one packet on the wire. `timestamp` has 32 bits and counts at 48,000 Hz. */
export type SendPacket = (payload: Uint8Array, timestamp: number) => void;

export interface OutgoingAudioOptions extends OpusSettings {
  readonly opus: Opus;
  /** The timestamp of the first packet. Default: random. */
  readonly timestamp?: number;
  /** Sends a packet, which continues the one before. */
  readonly send: SendPacket;
}

/** RFC 7587, section 4.1: the RTP clock of Opus counts at 48,000 Hz, whatever the sample rate of the audio. 20 ms are 960. */
const frameTicks = 960;
/** After this many silent frames, encoder and decoder hold only silence, and every further packet can be the same. */
const settledFrames = 12;
/** The number of reports in a row without loss that turn FEC off. */
const lossFreeReports = 10;

interface PendingFrame {
  readonly samples: Int16Array;
  readonly sampleRate: OpusSampleRate;
  readonly timestamp: number;
}

/**
 * Encodes at the sample rate of the audio, with one encoder: that of the last frame that was not silent. Silence does not
 * change the encoder. A packet is sent for every frame, so that browsers regard the track as live. During a long silence, the
 * same small packet is sent again and again, which costs no encoding.
 */
export function createOutgoingAudio(options: OutgoingAudioOptions): OutgoingAudio {
  const { opus, bitrate, complexity, dtx } = options;
  let { timestamp = randomTimestamp() } = options;
  let pending: PendingFrame[] = [];
  let encoder: OpusEncoder | undefined;
  let encoderRate: number | undefined;
  let silentFrames = 0;
  let silentPacket: Uint8Array | undefined;
  let reportsUntilFecOff = 0;
  let failure: unknown;
  let closed = false;

  function freeEncoder(): void {
    encoder?.free();
    encoder = undefined;
    encoderRate = undefined;
    silentFrames = 0;
    silentPacket = undefined;
  }

  /** Sends pending frames, up to the first one whose encoder does not exist yet. */
  function drain(): void {
    for (let next = pending[0]; next; next = pending[0]) {
      const silent = isSilent(next.samples);
      if (encoderRate === undefined || (!silent && next.sampleRate !== encoderRate)) {
        freeEncoder();
        void createEncoder(next.sampleRate);
      }
      if (!encoder || encoderRate === undefined) return;
      pending.shift();
      options.send(encode(encoder, encoderRate, next, silent), next.timestamp);
    }
  }

  function encode(
    current: OpusEncoder,
    rate: number,
    { samples, sampleRate }: PendingFrame,
    silent: boolean,
  ): Uint8Array {
    silentFrames = silent ? silentFrames + 1 : 0;
    if (silentFrames <= settledFrames) silentPacket = undefined;
    if (silentPacket) return silentPacket;
    const packet = current.encode(sampleRate === rate ? samples : new Int16Array(rate / 50), silent);
    if (silentFrames >= settledFrames) silentPacket = packet;
    return packet;
  }

  async function createEncoder(sampleRate: OpusSampleRate): Promise<void> {
    encoderRate = sampleRate;
    try {
      const created = await opus.createEncoder({ sampleRate, bitrate, complexity, dtx, fec: reportsUntilFecOff > 0 });
      if (closed || encoder || encoderRate !== sampleRate) return created.free();
      encoder = created;
      drain();
    } catch (error) {
      failure = error;
      pending = [];
      freeEncoder();
    }
  }

  return {
    sampleRates: opusSampleRates,
    send({ samples, sampleRate }) {
      if (closed) return;
      if (!isOpusSampleRate(sampleRate) || samples.length !== sampleRate / 50)
        throw new RangeError(`${samples.length} samples at ${sampleRate} Hz are not 20 ms at a sample rate of Opus.`);
      if (failure !== undefined) {
        const error = failure;
        failure = undefined;
        throw error;
      }
      pending.push({ samples, sampleRate, timestamp });
      timestamp = (timestamp + frameTicks) >>> 0;
      drain();
    },
    reportLoss(percent) {
      const before = reportsUntilFecOff > 0;
      reportsUntilFecOff = percent > 0 ? lossFreeReports : Math.max(0, reportsUntilFecOff - 1);
      if (before !== reportsUntilFecOff > 0) encoder?.setFec(!before);
    },
    clear() {
      pending = [];
      freeEncoder();
    },
    close() {
      closed = true;
      pending = [];
      freeEncoder();
    },
  };
}

/** Silence on the wire until the bot speaks: clients show a track only when packets arrive on it. */
export interface KeepaliveSilence {
  /** Sends a packet every 20 ms from now on, unless `end` was called. */
  begin(): void;
  /** Stops. Returns the timestamp with which the bot's audio continues. */
  end(): number;
}

/** 20 ms of silence: a TOC byte and an empty frame (RFC 6716, section 3.1). */
const silence = Uint8Array.of(0xf8, 0xff, 0xfe);

export function createKeepaliveSilence(pacer: Pacer, send: SendPacket): KeepaliveSilence {
  let timestamp = randomTimestamp();
  let stop: (() => void) | undefined;
  let ended = false;
  return {
    begin() {
      if (ended) return;
      stop ??= pacer.every(20, () => {
        send(silence, timestamp);
        timestamp = (timestamp + frameTicks) >>> 0;
      });
    },
    end() {
      ended = true;
      stop?.();
      return timestamp;
    },
  };
}

function randomTimestamp(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

function isOpusSampleRate(sampleRate: number): sampleRate is OpusSampleRate {
  return (opusSampleRates as readonly number[]).includes(sampleRate);
}

function isSilent(samples: Int16Array): boolean {
  for (const sample of samples) if (sample !== 0) return false;
  return true;
}

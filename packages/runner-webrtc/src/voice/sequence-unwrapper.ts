import type { AudioPacket } from "../peer/peer.ts";

/** A packet's position in its stream, with the wrapping numbers of the wire unwrapped. */
export interface Position {
  readonly sequence: number;
  /** The packet's first sample, at 48,000 Hz. */
  readonly at: number;
}

/** Unwraps RTP sequence numbers and timestamps, and distinguishes a new stream from a stray packet. */
export interface SequenceUnwrapper {
  /** `undefined` for a packet that does not belong to the stream. */
  unwrap(packet: AudioPacket, nowMs: number): Position | undefined;
  /** The stream paused: the next packet may arrive at any time. */
  pause(): void;
  /** The next packet starts a stream, whatever its numbers. */
  restart(): void;
}

/** RFC 3550, appendix A.1: a larger distance is neither loss nor reordering, but another stream. */
const maxAhead = 3_000;
const maxBehind = 100;
/** How far a packet's arrival may deviate from its timestamp, relative to the packets before. */
const maxDeviationMs = 500;

interface Arrival extends Position {
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly atMs: number;
}

/** `onRestart` is called when two stray packets in a row belong together: a new stream has begun. */
export function createSequenceUnwrapper(onRestart: () => void): SequenceUnwrapper {
  let latest: Arrival | undefined;
  let stray: Arrival | undefined;
  let paused = false;

  function accept(arrival: Arrival): Position {
    if (!latest || arrival.sequence > latest.sequence) latest = arrival;
    stray = undefined;
    paused = false;
    return arrival;
  }

  return {
    unwrap(packet, nowMs) {
      const arrival = relativeTo(latest, packet, nowMs);
      if (!latest || belongs(arrival, latest, paused)) return accept(arrival);
      const next = relativeTo(stray, packet, nowMs);
      const restarts = stray !== undefined && next.sequence === stray.sequence + 1 && belongs(next, stray, false);
      stray = next;
      if (!restarts) return undefined;
      latest = undefined;
      onRestart();
      return accept(next);
    },
    pause() {
      paused = true;
    },
    restart() {
      latest = undefined;
      stray = undefined;
    },
  };
}

function relativeTo(previous: Arrival | undefined, { sequenceNumber, timestamp }: AudioPacket, atMs: number): Arrival {
  if (!previous) return { sequenceNumber, timestamp, atMs, sequence: sequenceNumber, at: timestamp };
  const sequence = previous.sequence + (((sequenceNumber - previous.sequenceNumber) << 16) >> 16);
  const at = previous.at + ((timestamp - previous.timestamp) | 0);
  return { sequenceNumber, timestamp, atMs, sequence, at };
}

function belongs(arrival: Arrival, latest: Arrival, paused: boolean): boolean {
  const ahead = arrival.sequence - latest.sequence;
  if (ahead > maxAhead || ahead < -maxBehind) return false;
  const deviationMs = (arrival.at - latest.at) / 48 - (arrival.atMs - latest.atMs);
  return paused || Math.abs(deviationMs) <= maxDeviationMs;
}

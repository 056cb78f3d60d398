import type { AudioPacket } from "../peer/peer.ts";

/** A packet's place in its stream: what wraps on the wire is counted on. */
export interface Place {
  readonly sequence: number;
  /** Its first sample, at 48,000 Hz. */
  readonly at: number;
}

/** Finds a packet's place, and tells another stream from a stray packet. */
export interface PacketOrder {
  /** `undefined` for a packet that is no part of the stream. */
  place(packet: AudioPacket, nowMs: number): Place | undefined;
  /** Nothing has come for some time: the next packet may come whenever it likes. */
  pause(): void;
  /** The next packet begins a stream, wherever it stands. */
  restart(): void;
}

/** RFC 3550, appendix A.1: what lies farther ahead or behind is no loss and no reordering, but another stream. */
const maxAhead = 3_000;
const maxBehind = 100;
/** How much sooner or later a packet may come than those before it, by their timestamps. */
const maxDeviationMs = 500;

interface Arrival extends Place {
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly atMs: number;
}

/** `began` is called when two packets in a row that do not belong to the stream belong to each other: another has begun. */
export function createPacketOrder(began: () => void): PacketOrder {
  let latest: Arrival | undefined;
  let stray: Arrival | undefined;
  let paused = false;

  function accept(arrival: Arrival): Place {
    if (!latest || arrival.sequence > latest.sequence) latest = arrival;
    stray = undefined;
    paused = false;
    return arrival;
  }

  return {
    place(packet, nowMs) {
      const arrival = after(latest, packet, nowMs);
      if (!latest || belongs(arrival, latest, paused)) return accept(arrival);
      const next = after(stray, packet, nowMs);
      const begins = stray !== undefined && next.sequence === stray.sequence + 1 && belongs(next, stray, false);
      stray = next;
      if (!begins) return undefined;
      latest = undefined;
      began();
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

function after(before: Arrival | undefined, { sequenceNumber, timestamp }: AudioPacket, atMs: number): Arrival {
  if (!before) return { sequenceNumber, timestamp, atMs, sequence: sequenceNumber, at: timestamp };
  const sequence = before.sequence + (((sequenceNumber - before.sequenceNumber) << 16) >> 16);
  const at = before.at + ((timestamp - before.timestamp) | 0);
  return { sequenceNumber, timestamp, atMs, sequence, at };
}

function belongs(arrival: Arrival, latest: Arrival, paused: boolean): boolean {
  const ahead = arrival.sequence - latest.sequence;
  if (ahead > maxAhead || ahead < -maxBehind) return false;
  const soonerMs = (arrival.at - latest.at) / 48 - (arrival.atMs - latest.atMs);
  return paused || Math.abs(soonerMs) <= maxDeviationMs;
}

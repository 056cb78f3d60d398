import type { AudioPacket } from "../peer/peer.ts";
import { createDelayTarget } from "./delay-target.ts";
import { type OpusPacketShape, recogniseOpusPacket } from "./opus-packet.ts";
import { createPacketOrder, type Place } from "./packet-order.ts";

/**
 * Holds packets until it is their turn. Knows no timers, no codec and no sound: whoever plays asks it, when 20 ms are due,
 * what comes next. Positions and durations are in samples at 48,000 Hz: 48 are 1 ms.
 */
export interface JitterBuffer {
  /** Takes a packet, as it comes. Answers whether it will be played. */
  push(packet: AudioPacket, nowMs: number): boolean;
  /** 20 ms are due: `held` of what was taken has not been played. Before any `next` of that time. */
  due(dueMs: number, held: number): void;
  /** What comes next. */
  next(): Next;
  /** How much longer than they need to packets wait, in ms; negative when they should wait longer. */
  readonly excessMs: number;
  /** How long the quickest packets wait by now, and how long they should, in ms. */
  readonly delayMs: number;
  readonly targetMs: number;
  /** Whether so much can be taken without asking for what has not come yet. */
  has(duration: number): boolean;
  /** Another stream begins: forgets this one. */
  restart(): void;
  readonly counters: JitterBufferCounters;
}

/** What to play next. */
export type Next =
  /** A packet in its turn. */
  | { readonly kind: "packet"; readonly payload: Uint8Array; readonly duration: number }
  | Missing
  /** No stream. */
  | { readonly kind: "idle" };

/** What is not there: lost, late, or left out by a caller with nothing to say. */
export interface Missing {
  readonly kind: "missing";
  readonly duration: number;
  /** The packet that holds a copy of just this. */
  readonly before?: Uint8Array;
}

/** What came, and what did not. */
export interface JitterBufferCounters {
  /** Packets: all that came. */
  received: number;
  /** Numbers that were not there when it was their turn. */
  lost: number;
  /** Came after their turn. */
  late: number;
  duplicate: number;
  /** No part of the stream. */
  stray: number;
  /** No Opus. */
  invalid: number;
  /** Dropped because too many came at once. */
  overflowed: number;
  /** What was played in place of packets that were not there, lost or late, in ms: from the copy in the next one, and guessed. */
  recoveredMs: number;
  concealedMs: number;
}

interface Packet extends Place, OpusPacketShape {
  readonly payload: Uint8Array;
}

const frame = 960;
/** After so much of nothing the stream has paused, and begins anew with the next packet. */
const pauseAfter = 10 * frame;
/** The most that is held; what comes on top pushes out the oldest. */
const maxHeld = 20 * frame;
const maxPackets = 200;
/** After a pause, packets that come so much sooner or later than those before are timed anew. */
const maxShiftMs = 200;
/** How much less than they should packets may wait. What makes up for it is a whole frame more. */
export const slackMs = 8;

export function createJitterBuffer(): JitterBuffer {
  const counters: JitterBufferCounters = {
    received: 0,
    lost: 0,
    late: 0,
    duplicate: 0,
    stray: 0,
    invalid: 0,
    overflowed: 0,
    recoveredMs: 0,
    concealedMs: 0,
  };
  const target = createDelayTarget();
  const order = createPacketOrder(begin);
  /** By sequence. */
  const packets: Packet[] = [];
  let idle = true;
  /** What is taken next. */
  let sequence = Number.NEGATIVE_INFINITY;
  let at = 0;
  /** How much was given as missing since, when nothing had come: lost, late, or left out? */
  let unknown = 0;
  /** Where a frame begins. */
  let grid = 0;
  let playingMs = 0;

  function begin(): void {
    packets.length = 0;
    sequence = Number.NEGATIVE_INFINITY;
    target.restart();
    pause();
  }

  function pause(): void {
    idle = true;
    unknown = 0;
    order.pause();
  }

  function insert(packet: Packet): boolean {
    let place = packets.length;
    while (place > 0 && (packets[place - 1] as Packet).sequence > packet.sequence) place--;
    if (packets[place - 1]?.sequence === packet.sequence) {
      counters.duplicate += 1;
      return false;
    }
    packets.splice(place, 0, packet);
    while (packets.length > maxPackets || heldFrom(packets[0]?.at ?? 0) > maxHeld) {
      packets.shift();
      counters.overflowed += 1;
      at = packets[0]?.at ?? at;
      sequence = packets[0]?.sequence ?? sequence;
    }
    return true;
  }

  function heldFrom(position: number): number {
    const last = packets.at(-1);
    return last ? last.at + last.duration - position : 0;
  }

  function delayMs(): number {
    return target.quickestMs === undefined ? 0 : playingMs - target.quickestMs;
  }

  function take(packet: Packet): Next {
    packets.shift();
    sequence = packet.sequence + 1;
    at = packet.at + packet.duration;
    return { kind: "packet", payload: packet.payload, duration: packet.duration };
  }

  /** Unknown no more: it stands for what is missing before the next packet, and what it exceeds that by was a wait for it. */
  function resolve(next: Packet): void {
    const covered = Math.min(unknown, Math.max(0, next.at - at));
    at += covered;
    counters.concealedMs += (next.sequence === sequence ? unknown - covered : unknown) / 48;
    unknown = 0;
  }

  /** The next part of the `missing` before a packet that is there. Its copy stands for the last part. */
  function fill(packet: Packet, missing: number): Next {
    const last = missing <= packet.frameDuration;
    const duration = last ? missing : Math.min(frame, missing - packet.frameDuration);
    const lost = packet.sequence > sequence;
    at += duration;
    if (lost && last && packet.hasCopy) {
      counters.recoveredMs += duration / 48;
      return { kind: "missing", duration, before: packet.payload };
    }
    if (lost) counters.concealedMs += duration / 48;
    return { kind: "missing", duration };
  }

  return {
    counters,
    push(packet, nowMs) {
      counters.received += 1;
      const shape = recogniseOpusPacket(packet.payload);
      if (!shape) {
        counters.invalid += 1;
        return false;
      }
      const place = order.place(packet, nowMs);
      if (!place) {
        counters.stray += 1;
        return false;
      }
      const transitMs = nowMs - place.at / 48;
      if (idle && Math.abs(transitMs - (target.quickestMs ?? transitMs)) > maxShiftMs) target.restart();
      const aheadMs = idle ? 0 : ((((place.at - grid) % frame) + frame) % frame) / 48;
      // A lost packet comes, if at all, as the copy in the next one.
      const expected = (packets.at(-1)?.sequence ?? sequence - 1) + 1;
      if (!idle && shape.hasCopy && place.sequence > expected)
        target.add(transitMs + shape.frameDuration / 48, nowMs, aheadMs);
      target.add(transitMs, nowMs, aheadMs);
      if (place.sequence >= sequence) return insert({ ...place, ...shape, payload: packet.payload });
      counters.late += 1;
      return false;
    },
    due(dueMs, held) {
      const first = packets[0];
      if (idle && first) {
        playingMs = dueMs - first.at / 48;
        idle = delayMs() < target.targetMs - slackMs;
        if (idle) return;
        if (sequence !== Number.NEGATIVE_INFINITY) counters.lost += first.sequence - sequence;
        sequence = first.sequence;
        at = first.at;
      }
      if (first) resolve(first);
      grid = at + unknown - held;
      playingMs = dueMs - grid / 48;
    },
    next() {
      const first = packets[0];
      if (idle) return { kind: "idle" };
      if (!first) {
        unknown += frame;
        if (unknown > pauseAfter) pause();
        return idle ? { kind: "idle" } : { kind: "missing", duration: frame };
      }
      const missing = first.at - at;
      if (missing <= 0 || missing > pauseAfter) {
        counters.lost += first.sequence - sequence;
        return take(first);
      }
      return fill(first, missing);
    },
    has: (duration) => !idle && heldFrom(at) >= duration,
    get excessMs() {
      return idle ? 0 : delayMs() - target.targetMs;
    },
    get delayMs() {
      return idle ? 0 : delayMs();
    },
    get targetMs() {
      return target.targetMs;
    },
    restart() {
      order.restart();
      begin();
    },
  };
}

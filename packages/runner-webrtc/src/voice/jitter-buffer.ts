import type { AudioPacket } from "../peer/peer.ts";
import { type OpusPacketInfo, parseOpusPacket } from "./opus-packet.ts";
import { createSequenceUnwrapper, type Position } from "./sequence-unwrapper.ts";
import { createTargetDelay } from "./target-delay.ts";

/**
 * Holds packets until they are due. Has no timer and no codec: every 20 ms, its user asks for what to play next. Positions and
 * durations are in samples at 48,000 Hz: 48 are 1 ms.
 */
export interface JitterBuffer {
  /** Adds a packet. Returns whether it will be played. */
  push(packet: AudioPacket, nowMs: number): boolean;
  /** Another 20 ms are due; `buffered` of what `next` returned has not been played yet. Call it before `next`. */
  due(dueMs: number, buffered: number): void;
  /** What to play next. */
  next(): Next;
  /** How much longer than the target delay packets wait, in ms; negative when they do not wait long enough. */
  readonly excessMs: number;
  /** How long the fastest packets wait now, in ms. */
  readonly delayMs: number;
  readonly targetMs: number;
  /** Whether this much can be played from packets that have arrived. */
  has(duration: number): boolean;
  /** Another stream begins: drops this one. */
  restart(): void;
  readonly counters: JitterBufferCounters;
}

/** What to play next. */
export type Next =
  | { readonly kind: "packet"; readonly payload: Uint8Array; readonly duration: number }
  | Missing
  /** Nothing to play: before the stream, or in a pause. */
  | { readonly kind: "idle" };

/** A gap: a packet was lost, is late, or was never sent because the caller was silent. */
export interface Missing {
  readonly kind: "missing";
  readonly duration: number;
  /** The packet after the gap, when its in-band FEC covers the gap exactly. */
  readonly fecPacket?: Uint8Array;
}

/** Numbers of packets, and durations. */
export interface JitterBufferCounters {
  received: number;
  /** Sequence numbers that had not arrived when they were due. */
  lost: number;
  /** Packets that arrived after they were due. */
  late: number;
  duplicate: number;
  /** Packets that do not belong to the stream. */
  stray: number;
  /** Payloads that are not Opus. */
  invalid: number;
  /** Packets dropped because too many arrived at once. */
  overflowed: number;
  /** Lost or late audio that was restored from in-band FEC, in ms. */
  recoveredMs: number;
  /** Lost or late audio that was concealed, in ms. */
  concealedMs: number;
}

interface Packet extends Position, OpusPacketInfo {
  readonly payload: Uint8Array;
}

const frame = 960;
/** After a gap this long the stream has paused, and starts again with the next packet. */
const pauseAfter = 10 * frame;
/** Buffer limit; further packets displace the oldest. */
const maxBuffered = 20 * frame;
const maxPackets = 200;
/** After a pause, a larger change of the transit time restarts its measurement. */
const maxShiftMs = 200;
/** How far below the target delay packets may wait. Correcting it costs a whole frame. */
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
  const target = createTargetDelay();
  const unwrapper = createSequenceUnwrapper(begin);
  /** Ordered by sequence number. */
  const packets: Packet[] = [];
  let idle = true;
  /** The next packet to play. */
  let sequence = Number.NEGATIVE_INFINITY;
  let at = 0;
  /** Duration returned as missing while no packet was there: whether it was lost, late or silence is not known yet. */
  let unresolved = 0;
  /** Where a frame starts. */
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
    unresolved = 0;
    unwrapper.pause();
  }

  function insert(packet: Packet): boolean {
    let index = packets.length;
    while (index > 0 && (packets[index - 1] as Packet).sequence > packet.sequence) index--;
    if (packets[index - 1]?.sequence === packet.sequence) {
      counters.duplicate += 1;
      return false;
    }
    packets.splice(index, 0, packet);
    while (packets.length > maxPackets || bufferedFrom(packets[0]?.at ?? 0) > maxBuffered) {
      packets.shift();
      counters.overflowed += 1;
      at = packets[0]?.at ?? at;
      sequence = packets[0]?.sequence ?? sequence;
    }
    return true;
  }

  function bufferedFrom(from: number): number {
    const last = packets.at(-1);
    return last ? last.at + last.duration - from : 0;
  }

  function delayMs(): number {
    return target.fastestMs === undefined ? 0 : playingMs - target.fastestMs;
  }

  function take(packet: Packet): Next {
    packets.shift();
    sequence = packet.sequence + 1;
    at = packet.at + packet.duration;
    return { kind: "packet", payload: packet.payload, duration: packet.duration };
  }

  /** The next packet shows how much of the unresolved gap was really missing; the rest was waiting time. */
  function resolve(next: Packet): void {
    const covered = Math.min(unresolved, Math.max(0, next.at - at));
    at += covered;
    counters.concealedMs += (next.sequence === sequence ? unresolved - covered : unresolved) / 48;
    unresolved = 0;
  }

  /** Returns the next part of a gap before `packet`, whose FEC covers the last part. */
  function fillGap(packet: Packet, missing: number): Next {
    const last = missing <= packet.frameDuration;
    const duration = last ? missing : Math.min(frame, missing - packet.frameDuration);
    const lost = packet.sequence > sequence;
    at += duration;
    if (lost && last && packet.hasFec) {
      counters.recoveredMs += duration / 48;
      return { kind: "missing", duration, fecPacket: packet.payload };
    }
    if (lost) counters.concealedMs += duration / 48;
    return { kind: "missing", duration };
  }

  return {
    counters,
    push(packet, nowMs) {
      counters.received += 1;
      const info = parseOpusPacket(packet.payload);
      if (!info) {
        counters.invalid += 1;
        return false;
      }
      const position = unwrapper.unwrap(packet, nowMs);
      if (!position) {
        counters.stray += 1;
        return false;
      }
      const transitMs = nowMs - position.at / 48;
      if (idle && Math.abs(transitMs - (target.fastestMs ?? transitMs)) > maxShiftMs) target.restart();
      const aheadMs = idle ? 0 : ((((position.at - grid) % frame) + frame) % frame) / 48;
      // A lost packet arrives as the FEC of the next one, if at all.
      const expected = (packets.at(-1)?.sequence ?? sequence - 1) + 1;
      if (!idle && info.hasFec && position.sequence > expected)
        target.add(transitMs + info.frameDuration / 48, nowMs, aheadMs);
      target.add(transitMs, nowMs, aheadMs);
      if (position.sequence >= sequence) return insert({ ...position, ...info, payload: packet.payload });
      counters.late += 1;
      return false;
    },
    due(dueMs, buffered) {
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
      grid = at + unresolved - buffered;
      playingMs = dueMs - grid / 48;
    },
    next() {
      const first = packets[0];
      if (idle) return { kind: "idle" };
      if (!first) {
        unresolved += frame;
        if (unresolved > pauseAfter) pause();
        return idle ? { kind: "idle" } : { kind: "missing", duration: frame };
      }
      const missing = first.at - at;
      if (missing <= 0 || missing > pauseAfter) {
        counters.lost += first.sequence - sequence;
        return take(first);
      }
      return fillGap(first, missing);
    },
    has: (duration) => !idle && bufferedFrom(at) >= duration,
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
      unwrapper.restart();
      begin();
    },
  };
}

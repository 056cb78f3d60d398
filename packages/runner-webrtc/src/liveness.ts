import { type Clock, isRunnerError, type Pacer } from "@pipecat-ts/runner-core";
import type { Peer } from "./peer/peer.ts";
import type { Peers } from "./peers.ts";

/** Detects a caller who is gone without a message, such as a page that was killed: its packets stop. */
export interface Liveness {
  /** Watches this peer from now on. The timeout starts again. */
  watch(peer: Pick<Peer, "packetsReceived" | "state">): void;
  stop(): void;
}

export interface LivenessOptions {
  readonly pacer: Pacer;
  /** How long a connected caller may send no packet, in ms. */
  readonly callerTimeoutMs: number;
  /** Called once. `wasConnected` is false when the first peer did not connect within 30 s. */
  timedOut(wasConnected: boolean): void;
}

/** Long enough for a person to answer the browser's permission prompt, which may come between offer and first packet. */
const connectTimeoutMs = 30_000;
const checkMs = 250;

/**
 * Counts media, RTCP and data as signs of life. ICE's own checks take 26 s to notice that a caller is gone and do not count.
 * A caller who only listens and has sent none of these counts as present while its connection is up. A caller
 * whose peer has failed does not count as present, whatever it sends: it cannot hear the bot.
 */
export function createLiveness({ pacer, callerTimeoutMs, timedOut }: LivenessOptions): Liveness {
  let peer: Pick<Peer, "packetsReceived" | "state"> | undefined;
  let packetsReceived = 0;
  let lastMs = 0;
  let checkedAtMs = 0;
  let wasConnected = false;
  let stopTicks: (() => void) | undefined;

  function check(): void {
    if (peer === undefined) return;
    const nowMs = pacer.clock.now();
    const lateMs = nowMs - checkedAtMs - checkMs;
    checkedAtMs = nowMs;
    // The event loop was blocked. Packets that arrived meanwhile have not been read yet.
    if (lateMs > checkMs) lastMs += lateMs;
    const sends = peer.packetsReceived > packetsReceived;
    const onlyListens = peer.packetsReceived === 0 && peer.state === "connected";
    const isPresent = onlyListens || (sends && peer.state !== "failed");
    packetsReceived = peer.packetsReceived;
    wasConnected ||= peer.state === "connected";
    if (isPresent) lastMs = nowMs;
    else if (nowMs - lastMs > (wasConnected ? callerTimeoutMs : connectTimeoutMs)) {
      stop();
      timedOut(wasConnected);
    }
  }

  function stop(): void {
    stopTicks?.();
    peer = undefined;
  }

  return {
    watch(next) {
      peer = next;
      packetsReceived = next.packetsReceived;
      lastMs = pacer.clock.now();
      checkedAtMs = lastMs;
      stopTicks ??= pacer.every(checkMs, check);
    },
    stop,
  };
}

/** Distinguishes a caller who leaves from one who closes its data channel or peer in order to open another. */
export interface DisconnectGrace {
  /** Like `Peers.answer`, and keeps track of callers who return. */
  answer: Peers["answer"];
  /** The caller closed its data channel or its current peer: the grace period begins. */
  begin(): void;
}

export interface DisconnectGraceOptions {
  readonly peers: Pick<Peers, "pcId" | "open" | "current" | "answer">;
  readonly clock: Pick<Clock, "now">;
  /** Acts after a delay, unless the call is over by then. */
  after(delayMs: number, act: () => void): void;
  /** The caller has left. May be called more than once. */
  expired(): void;
}

const graceMs = 500;
/**
 * After an offer of a new peer was rejected with a 5xx status, a disconnect within this time is ignored. The published client
 * (small-webrtc-transport 1.10.8) closes its old peer at once, and offers again 2 s later. If it does not, liveness notices.
 */
const retryMs = 2_500;

export function createDisconnectGrace({ peers, clock, after, expired }: DisconnectGraceOptions): DisconnectGrace {
  let answersInProgress = 0;
  let rejectedAtMs = Number.NEGATIVE_INFINITY;

  function wait(pcId: string): void {
    after(graceMs, () => {
      // The peer was replaced. The new one may need longer to connect; liveness watches it.
      if (peers.pcId !== pcId) return;
      if (peers.open && peers.current?.state !== "closed") return;
      if (answersInProgress > 0) wait(pcId);
      else if (clock.now() - rejectedAtMs > retryMs) expired();
    });
  }

  return {
    async answer(offer) {
      answersInProgress += 1;
      try {
        return await peers.answer(offer);
      } catch (error) {
        const isFinal = isRunnerError(error) && error.status < 500;
        if (offer.restart === true && !isFinal) rejectedAtMs = clock.now();
        throw error;
      } finally {
        answersInProgress -= 1;
      }
    },
    begin: () => wait(peers.pcId),
  };
}

import type { Pacer } from "@pipecat-ts/runner-media";
import type { Peer } from "./peer/peer.ts";

/** Watches whether the caller is still there, by what arrives of it: a page that was killed says no goodbye. */
export interface Liveness {
  /** This is the peer to watch from now on, anew. */
  watch(peer: Pick<Peer, "packetsReceived" | "state">): void;
  stop(): void;
}

/** What it goes by. */
export interface LivenessOptions {
  readonly pacer: Pacer;
  /** How long a caller who was there may be silent on the wire, in ms. */
  readonly callerTimeoutMs: number;
  /** Called once: with `never` when the first peer did not connect, in 30 s. */
  gone(how: "silent" | "never"): void;
}

/** The network between an offer and a first packet may ask a person for permission. */
const connectTimeoutMs = 30_000;
const checkMs = 250;

/**
 * Media, reports on media and data count as signs of life; ICE's own checks do not, which take 26 s to miss a caller. One
 * who has sent nothing of these at all, because it only listens, is believed to be there as long as the connection is.
 */
export function createLiveness({ pacer, callerTimeoutMs, gone }: LivenessOptions): Liveness {
  let peer: Pick<Peer, "packetsReceived" | "state"> | undefined;
  let received = 0;
  let lastMs = 0;
  let everConnected = false;
  let stopTicks: (() => void) | undefined;

  function check(): void {
    if (peer === undefined) return;
    const nowMs = pacer.clock.now();
    const there = peer.packetsReceived > received || (peer.packetsReceived === 0 && peer.state === "connected");
    received = peer.packetsReceived;
    everConnected ||= peer.state === "connected";
    if (there) lastMs = nowMs;
    else if (nowMs - lastMs > (everConnected ? callerTimeoutMs : connectTimeoutMs)) {
      stop();
      gone(everConnected ? "silent" : "never");
    }
  }

  function stop(): void {
    stopTicks?.();
    peer = undefined;
  }

  return {
    watch(next) {
      peer = next;
      received = next.packetsReceived;
      lastMs = pacer.clock.now();
      stopTicks ??= pacer.every(checkMs, check);
    },
    stop,
  };
}

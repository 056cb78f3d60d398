import { createRateLimit, isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import type { OutboxChannel } from "./outbox.ts";
import { createPeer, type Peer, type PeerListener, type PeerOptions, type RemoteCandidate } from "./peer/peer.ts";

/** An offer of a caller. */
export interface CallerOffer {
  readonly sdp: string;
  /** The id of the peer that it is for; none in the first offer. */
  readonly pcId?: string | undefined;
  /** Whether it is for a new peer, which replaces the current one. */
  readonly restart?: boolean | undefined;
  /** Called with the id of a new peer before the caller gets the answer. An exception rejects the offer. */
  admit?(pcId: string): void;
}

/** An answer, and the id of its peer. */
export interface CallerAnswer {
  readonly sdp: string;
  readonly pcId: string;
}

/** Offers of a caller: each costs some milliseconds. A client sends one per change of its tracks or network. */
const offerRate = { perSecond: 5, burst: 50 };
/** Offers of a caller for a new peer, which cost ten times as much. The published client waits 2 s between two. */
const newPeerRate = { perSecond: 1, burst: 10 };

export interface PeersOptions extends PeerOptions {
  readonly sessionId: string;
  /** What the ids of peers begin with. Default: the session's id. */
  readonly peerIdPrefix?: string | undefined;
}

/** Receives the events of the current peer. */
export interface PeersListener extends Pick<PeerListener, "audio" | "video" | "loss" | "text"> {
  /** A peer has become the current one: the first, or one that replaces `previous`. */
  started(previous: Pick<Peer, "packetsReceived"> | undefined): void;
  /** A peer is connected, for the first time. */
  connected(): void;
  channelOpened(): void;
  /** The caller closed its data channel or peer, to leave or to replace it. */
  closed(): void;
}

/** The successive peers of one caller. The current one is the last that was answered. */
export interface Peers extends OutboxChannel {
  /** The id of the current peer; empty before the first. */
  readonly pcId: string;
  readonly current: Pick<Peer, "state" | "packetsReceived" | "offersChannel" | "video" | "counters"> | undefined;
  /**
   * Answers the first offer, an offer for the current peer, or one for a new peer. Calls are queued. Rejects as `Peer.answer`
   * does, or with the error that `admit` threw; the peers are then unchanged, except that UDP_PORTS_EXHAUSTED closes the peer
   * that was to be replaced. Rejects with SESSION_NOT_PENDING for a second caller, with CALL_ENDED for an old peer, and with
   * RATE_EXCEEDED for offers in quick succession.
   */
  answer(offer: CallerOffer): Promise<CallerAnswer>;
  /** Ignores candidates for a peer that was replaced. */
  addCandidate(pcId: string, candidate: RemoteCandidate): void;
  sendAudio(payload: Uint8Array, timestamp: number): void;
  /** Accepts the caller's video in all further answers. */
  acceptVideo(): void;
  /** Rejects further offers. Resolves when no answer is in progress. */
  seal(): Promise<void>;
  close(): Promise<void>;
}

interface NamedPeer {
  readonly id: string;
  readonly peer: Peer;
  channelOpen: boolean;
}

export function createPeers(options: PeersOptions, listener: PeersListener): Peers {
  const { sessionId, peerIdPrefix = sessionId } = options;
  let current: NamedPeer | undefined;
  let opened = 0;
  let everConnected = false;
  let sealed = false;
  let acceptsVideo = false;
  let queue: Promise<unknown> = Promise.resolve();
  const offers = createRateLimit(offerRate);
  const newPeers = createRateLimit(newPeerRate);

  function open(): NamedPeer {
    opened += 1;
    const named: NamedPeer = {
      id: `${peerIdPrefix}.${opened}`,
      channelOpen: false,
      peer: createPeer(options, listen()),
    };
    return named;

    function listen(): PeerListener {
      const isCurrent = () => current === named;
      return {
        state(state) {
          if (!isCurrent()) return;
          if (state === "closed") listener.closed();
          if (state !== "connected" || everConnected) return;
          everConnected = true;
          listener.connected();
        },
        audio: (packet) => isCurrent() && listener.audio(packet),
        video: (packet) => isCurrent() && listener.video(packet),
        loss: (percent) => isCurrent() && listener.loss(percent),
        text: (text) => isCurrent() && listener.text(text),
        channel(state) {
          named.channelOpen = state === "open";
          if (!isCurrent()) return;
          if (named.channelOpen) listener.channelOpened();
          else listener.closed();
        },
      };
    }
  }

  async function answer({ sdp, pcId, restart = false, admit = () => undefined }: CallerOffer): Promise<CallerAnswer> {
    checkOpen();
    if (current !== undefined && pcId === undefined && everConnected) {
      throw new RunnerError("SESSION_NOT_PENDING", `The caller of session "${sessionId}" is connected already.`, {
        fix: "Send the pc_id of the answer with every further offer, or start another session with POST /start.",
      });
    }
    if (current === undefined || pcId === undefined || restart) return await replace(sdp, admit);
    if (current.id !== pcId) throw new RunnerError("CALL_ENDED", `The peer "${pcId}" was replaced by another one.`);
    return { sdp: await current.peer.answer(sdp, acceptsVideo), pcId };
  }

  async function replace(offer: string, admit: (pcId: string) => void): Promise<CallerAnswer> {
    if (!newPeers.take()) throw rateExceeded("offers for a new peer", newPeerRate.perSecond);
    const next = open();
    try {
      const sdp = await answerReplacing(next.peer, offer);
      checkOpen();
      admit(next.id);
      const previous = current;
      current = next;
      listener.started(previous?.peer);
      // At once: a client that closes its old data channel after the new one opened stops sending pings.
      await previous?.peer.close();
      return { sdp, pcId: next.id };
    } catch (error) {
      await next.peer.close();
      throw error;
    }
  }

  /** If all UDP ports are taken, closes the current peer first: the caller no longer uses it. */
  async function answerReplacing(next: Peer, offer: string): Promise<string> {
    try {
      return await next.answer(offer, acceptsVideo);
    } catch (error) {
      if (current === undefined || !isRunnerError(error) || error.code !== "UDP_PORTS_EXHAUSTED") throw error;
      await current.peer.close();
      return await next.answer(offer, acceptsVideo);
    }
  }

  function checkOpen(): void {
    if (sealed) throw new RunnerError("CALL_ENDED", "The call is over.");
  }

  return {
    get pcId() {
      return current?.id ?? "";
    },
    get current() {
      return current?.peer;
    },
    get open() {
      return current?.channelOpen ?? false;
    },
    get bufferedBytes() {
      return current?.peer.bufferedBytes ?? 0;
    },
    get maxMessageBytes() {
      return current?.peer.maxMessageBytes ?? Number.POSITIVE_INFINITY;
    },
    get packetsReceived() {
      return current?.peer.packetsReceived ?? 0;
    },
    sendText: (text) => current?.peer.sendText(text),
    async answer(offer) {
      if (!offers.take()) throw rateExceeded("offers", offerRate.perSecond);
      const answered = queue.then(() => answer(offer));
      queue = answered.catch(() => undefined); // The caller of `answer` handles it.
      return await answered;
    },
    addCandidate(pcId, candidate) {
      if (current?.id === pcId) current.peer.addCandidate(candidate);
    },
    sendAudio: (payload, timestamp) => current?.peer.sendAudio(payload, timestamp),
    acceptVideo() {
      acceptsVideo = true;
    },
    async seal() {
      sealed = true;
      await queue;
    },
    async close() {
      await current?.peer.close();
    },
  };
}

function rateExceeded(what: string, perSecond: number): RunnerError {
  return new RunnerError("RATE_EXCEEDED", `The caller sent more than ${perSecond} ${what} per second.`, {
    fix: "Wait for the answer before the next offer, and offer only when tracks or the network change.",
  });
}

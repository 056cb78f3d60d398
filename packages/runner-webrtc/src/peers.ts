import { isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import type { OutboxChannel } from "./outbox.ts";
import { createPeer, type Peer, type PeerListener, type PeerOptions, type RemoteCandidate } from "./peer/peer.ts";

/** An offer, as clients send it. */
export interface CallerOffer {
  readonly sdp: string;
  /** The peer it is for; none for the caller's first. */
  readonly pcId?: string | undefined;
  /** Whether the caller begins anew with a peer of its own. */
  readonly restart?: boolean | undefined;
  /** Told of the id of each peer that comes to count, before the caller is. What it throws refuses the offer. */
  admit?(pcId: string): void;
}

/** The answer, and the peer it is of. */
export interface CallerAnswer {
  readonly sdp: string;
  readonly pcId: string;
}

/** What the peers of a caller are made with. */
export interface PeersOptions extends PeerOptions {
  readonly sessionId: string;
}

/** What they tell, of the peer that counts alone. */
export interface PeersListener extends Pick<PeerListener, "audio" | "loss" | "text"> {
  /** A peer has come to count: the caller's first, or one in place of `before`. */
  began(before: Pick<Peer, "packetsReceived"> | undefined): void;
  /** Media and data are encrypted both ways: the first time. */
  connected(): void;
  channelOpened(): void;
  /** The caller closed its data channel or peer: to leave, or to replace it. */
  closed(): void;
}

/** The peers that a caller has one after the other; the last one answered is the one that counts. */
export interface Peers extends OutboxChannel {
  /** The current peer's id; empty before the first. */
  readonly pcId: string;
  /** What is known of the current peer. */
  readonly current: Pick<Peer, "state" | "packetsReceived" | "offersChannel" | "counters"> | undefined;
  /**
   * Answers the first offer, one on the peer there is, or one that replaces it. Calls queue. Rejects as `Peer.answer` does,
   * or with what `admit` throws, and all is as it was, except that UDP_PORTS_EXHAUSTED closes the peer that was to be
   * replaced; with SESSION_NOT_PENDING for a second caller, with CALL_ENDED for a peer that is gone.
   */
  answer(offer: CallerOffer): Promise<CallerAnswer>;
  /** One for a peer that was replaced is of no use. */
  addCandidate(pcId: string, candidate: RemoteCandidate): void;
  sendAudio(payload: Uint8Array, timestamp: number): void;
  /** Answers no more. Resolves once no answer is under way. */
  seal(): Promise<void>;
  close(): Promise<void>;
}

interface NamedPeer {
  readonly id: string;
  readonly peer: Peer;
  channelOpen: boolean;
}

export function createPeers(options: PeersOptions, listener: PeersListener): Peers {
  const { sessionId } = options;
  let current: NamedPeer | undefined;
  let opened = 0;
  let everConnected = false;
  let sealed = false;
  let queue: Promise<unknown> = Promise.resolve();

  function open(): NamedPeer {
    opened += 1;
    const named: NamedPeer = { id: `${sessionId}.${opened}`, channelOpen: false, peer: createPeer(options, listen()) };
    return named;

    function listen(): PeerListener {
      const counts = () => current === named;
      return {
        state(state) {
          if (!counts()) return;
          if (state === "closed") listener.closed();
          if (state !== "connected" || everConnected) return;
          everConnected = true;
          listener.connected();
        },
        audio: (packet) => counts() && listener.audio(packet),
        loss: (percent) => counts() && listener.loss(percent),
        text: (text) => counts() && listener.text(text),
        channel(state) {
          named.channelOpen = state === "open";
          if (!counts()) return;
          if (named.channelOpen) listener.channelOpened();
          else listener.closed();
        },
      };
    }
  }

  async function answer({ sdp, pcId, restart = false, admit = () => undefined }: CallerOffer): Promise<CallerAnswer> {
    checkOpen();
    if (current !== undefined && pcId === undefined && everConnected) {
      throw new RunnerError("SESSION_NOT_PENDING", `The caller of session "${sessionId}" is here already.`, {
        fix: "Send the pc_id of the answer with every further offer, or POST /start for a session of your own.",
      });
    }
    if (current === undefined || pcId === undefined || restart) return await replace(sdp, admit);
    if (current.id !== pcId) throw new RunnerError("CALL_ENDED", `The peer ${pcId} was replaced.`);
    return { sdp: await current.peer.answer(sdp), pcId };
  }

  async function replace(offer: string, admit: (pcId: string) => void): Promise<CallerAnswer> {
    const next = open();
    try {
      const sdp = await answerInPlace(next.peer, offer);
      checkOpen();
      admit(next.id);
      const before = current;
      current = next;
      listener.began(before?.peer);
      // At once: while the client's old data channel is open, closing it would stop the pings on the new one.
      await before?.peer.close();
      return { sdp, pcId: next.id };
    } catch (error) {
      await next.peer.close();
      throw error;
    }
  }

  /** A caller who begins anew has no more use for the peer before, and is owed its ports where there are no others. */
  async function answerInPlace(next: Peer, offer: string): Promise<string> {
    try {
      return await next.answer(offer);
    } catch (error) {
      if (current === undefined || !isRunnerError(error) || error.code !== "UDP_PORTS_EXHAUSTED") throw error;
      await current.peer.close();
      return await next.answer(offer);
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
    get heard() {
      return current?.peer.packetsReceived ?? 0;
    },
    sendText: (text) => current?.peer.sendText(text),
    answer(offer) {
      const answered = queue.then(() => answer(offer));
      queue = answered.catch(() => undefined); // whoever asked is told
      return answered;
    },
    addCandidate(pcId, candidate) {
      if (current?.id === pcId) current.peer.addCandidate(candidate);
    },
    sendAudio: (payload, timestamp) => current?.peer.sendAudio(payload, timestamp),
    async seal() {
      sealed = true;
      await queue;
    },
    async close() {
      await current?.peer.close();
    },
  };
}

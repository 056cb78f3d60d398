import { RunnerError } from "@pipecat-ts/runner-core";
import { type IceCandidate, locateCandidate } from "./candidate.ts";
import type { Engine } from "./engine.ts";
import { createMdnsResolver, type MdnsResolver } from "./mdns.ts";
import { type Offer, parseOffer } from "./offer.ts";
import type { Peer, PeerListener, PeerOptions, RemoteCandidate } from "./peer-contract.ts";
import { offerInvalid } from "./sdp.ts";

export type * from "./peer-contract.ts";

/** As many candidates as are kept until there is an offer. */
const earlyLimit = 64;

/**
 * A peer that waits for its offer. It holds no socket and no timer until then; the engine is loaded at the first offer,
 * if `warmUp` did not do it before. It closes `names` with itself.
 */
export function createPeer(
  options: PeerOptions,
  listener: PeerListener,
  names: MdnsResolver = createMdnsResolver(),
): Peer {
  let early: RemoteCandidate[] = [];
  let engine: Engine | undefined;
  let offered: Offer | undefined;
  let answering = false;
  let candidatesIgnored = 0;
  let closing: Promise<void> | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  async function answer(text: string): Promise<string> {
    checkOpen();
    const offer = parseOffer(text);
    if (offered !== undefined) checkSameCaller(offer, offered);
    const { openEngine } = await import("./engine.ts");
    checkOpen();
    // Of an engine that did not come to answer its first offer, nothing is told: the next offer gets another one.
    const opened =
      engine ??
      openEngine(
        options,
        contain(listener, options, () => engine !== undefined),
      );
    engine = opened;
    answering = true;
    const written = offer.audio.candidates.map((candidate) => ({ candidate, sdpMid: offer.audio.mid }));
    const inData = (offer.data?.candidates ?? []).map((candidate) => ({ candidate, sdpMid: offer.data?.mid }));
    const known = [...written, ...inData, ...early].flatMap((candidate) => place(candidate, offer) ?? []);
    early = [];
    try {
      const text = await opened.answer(offer, known);
      offered = offer;
      return text;
    } catch (error) {
      if (offered === undefined) {
        engine = undefined;
        await opened.close();
      }
      throw error;
    } finally {
      answering = false;
      const meanwhile = early;
      early = [];
      meanwhile.forEach(addCandidate);
    }
  }

  function checkOpen(): void {
    if (closing !== undefined) throw new RunnerError("CALL_ENDED", "The peer is closed.");
  }

  function addCandidate(trickled: RemoteCandidate): void {
    if (closing !== undefined) return;
    if (engine === undefined || offered === undefined || answering) {
      if (early.length < earlyLimit) early.push(trickled);
      else candidatesIgnored += 1;
      return;
    }
    const candidate = place(trickled, offered);
    if (candidate !== undefined && !engine.addCandidate(candidate)) candidatesIgnored += 1;
  }

  /** What the engine can use of a candidate, now. A name is looked up, and its candidate comes again with the address. */
  function place(trickled: RemoteCandidate, offer: Offer): IceCandidate | undefined {
    // Nothing is done at the end of candidates: a caller is found by its own checks, even if none of them was of use.
    if (trickled.candidate === "") return undefined;
    const candidate = locateCandidate(trickled, offer);
    if (candidate === undefined) candidatesIgnored += 1;
    if (candidate === undefined || !candidate.host.endsWith(".local")) return candidate;
    void names.resolve(candidate.host).then((address) => {
      if (address === undefined) candidatesIgnored += 1;
      else addCandidate({ ...trickled, candidate: trickled.candidate.replace(candidate.host, address) });
    });
    return undefined;
  }

  return {
    get state() {
      return closing === undefined ? (engine?.state ?? "new") : "closed";
    },
    get heard() {
      return engine?.heard ?? 0;
    },
    get counters() {
      return { candidatesIgnored, ...(engine?.counters ?? { datagramsIgnored: 0, messagesIgnored: 0 }) };
    },
    answer(text) {
      const answered = queue.then(() => answer(text));
      queue = answered.catch(() => undefined);
      return answered;
    },
    addCandidate,
    sendAudio: (payload, timestamp) => engine?.sendAudio(payload, timestamp),
    sendText(text) {
      if (engine === undefined) throw new Error("The caller has no data channel open.");
      engine.channel.sendText(text);
    },
    get offersChannel() {
      return offered?.data !== undefined;
    },
    get bufferedBytes() {
      return engine?.channel.bufferedBytes ?? 0;
    },
    get maxMessageBytes() {
      return offered?.data?.maxMessageBytes ?? 65_536;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };

  async function close(): Promise<void> {
    names.close();
    await engine?.close();
    await queue;
  }
}

/** A listener that throws is a bug of ours: it is logged here, because the engine would swallow it. */
function contain(listener: PeerListener, { logger }: PeerOptions, counts: () => boolean): PeerListener {
  const safely =
    <T>(tell: (value: T) => void) =>
    (value: T): void => {
      if (!counts()) return;
      try {
        tell(value);
      } catch (error) {
        logger.error({ error }, "a listener of a WebRTC peer threw");
      }
    };
  return {
    state: safely((state) => listener.state(state)),
    audio: safely((packet) => listener.audio(packet)),
    loss: safely((percent) => listener.loss(percent)),
    channel: safely((state) => listener.channel(state)),
    text: safely((text) => listener.text(text)),
  };
}

/** A peer's certificate lasts as long as the peer: another one is another caller, or one that began anew. */
function checkSameCaller(offer: Offer, before: Offer): void {
  const known = new Set(before.audio.fingerprints);
  if (!offer.audio.fingerprints.some((fingerprint) => known.has(fingerprint)))
    throw offerInvalid(
      "has another certificate (a=fingerprint) than the call's first one",
      "To replace the connection, set restart_pc.",
    );
}

import { RunnerError } from "@pipecat-ts/runner-core";
import { type IceCandidate, locateCandidate } from "./candidate.ts";
import { createMdnsResolver, type MdnsResolver } from "./mdns.ts";
import { bundlesData, type Offer, offerInvalid, parseOffer } from "./offer.ts";
import type { Peer, PeerListener, PeerOptions, RemoteCandidate } from "./peer-contract.ts";
import type { WeriftAdapter } from "./werift/adapter.ts";

export type * from "./peer-contract.ts";

/** The maximum number of candidates that are buffered until there is an offer. */
const earlyLimit = 64;

/** The maximum number of candidates that are parsed after each offer. Browsers send about 20. */
const trickledLimit = 512;

/**
 * Creates a peer that waits for its offer. It holds no socket or timer until then. The first offer loads werift unless `warmUp`
 * has. `close()` also closes `names`.
 */
export function createPeer(
  options: PeerOptions,
  listener: PeerListener,
  names: MdnsResolver = createMdnsResolver({}, options.mdnsQueries),
): Peer {
  let early: RemoteCandidate[] = [];
  let adapter: WeriftAdapter | undefined;
  let offered: Offer | undefined;
  let answering = false;
  let videoAccepted = false;
  let candidatesIgnored = 0;
  let trickled = 0;
  let closing: Promise<void> | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  async function answer(text: string, acceptsVideo: boolean): Promise<string> {
    checkOpen();
    const offer = parseOffer(text);
    if (offered !== undefined) checkSameCaller(offer, offered);
    const { openWeriftAdapter } = await import("./werift/adapter.ts");
    checkOpen();
    // An adapter that fails on its first offer reports no events: the next offer gets a new one.
    const opened =
      adapter ??
      openWeriftAdapter(
        options,
        guardListener(listener, options, () => adapter !== undefined),
      );
    adapter = opened;
    answering = true;
    const audio = offer.audio.candidates.map((candidate) => ({ candidate, sdpMid: offer.audio.mid }));
    const data = (offer.data?.candidates ?? []).map((candidate) => ({ candidate, sdpMid: offer.data?.mid }));
    const known = [...audio, ...data, ...early].flatMap((candidate) => locate(candidate, offer) ?? []);
    early = [];
    trickled = 0;
    try {
      const answerSdp = await opened.answer(offer, known, acceptsVideo);
      offered = offer;
      videoAccepted = acceptsVideo && offer.video.length > 0;
      return answerSdp;
    } catch (error) {
      if (offered === undefined) {
        adapter = undefined;
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
    if (closing !== undefined || adapter?.state === "closed")
      throw new RunnerError("CALL_ENDED", "The peer is closed.");
  }

  function addCandidate(remote: RemoteCandidate): void {
    if (closing !== undefined) return;
    trickled += 1;
    if (trickled > trickledLimit) candidatesIgnored += 1;
    else if (adapter === undefined || offered === undefined || answering) {
      if (early.length < earlyLimit) early.push(remote);
      else candidatesIgnored += 1;
    } else use(remote, adapter, offered);
  }

  function use(remote: RemoteCandidate, adapter: WeriftAdapter, offer: Offer): void {
    const candidate = locate(remote, offer);
    if (candidate !== undefined && !adapter.addCandidate(candidate)) candidatesIgnored += 1;
  }

  /** Returns the candidate if it has an address. A name is resolved first, and added again with its address. */
  function locate(remote: RemoteCandidate, offer: Offer): IceCandidate | undefined {
    // The end of candidates needs no action: the caller's own checks may still find a pair.
    if (remote.candidate === "") return undefined;
    const candidate = locateCandidate(remote, offer);
    if (candidate === undefined) candidatesIgnored += 1;
    if (candidate === undefined || !candidate.host.endsWith(".local")) return candidate;
    void names.resolve(candidate.host).then((address) => {
      if (address === undefined) candidatesIgnored += 1;
      else addCandidate({ ...remote, candidate: remote.candidate.replace(candidate.host, address) });
    });
    return undefined;
  }

  async function close(): Promise<void> {
    names.close();
    await adapter?.close();
    await queue;
  }

  return {
    get state() {
      return closing === undefined ? (adapter?.state ?? "new") : "closed";
    },
    get packetsReceived() {
      return adapter?.packetsReceived ?? 0;
    },
    get counters() {
      return { candidatesIgnored, ...(adapter?.counters ?? { datagramsIgnored: 0, messagesIgnored: 0 }) };
    },
    answer(text, acceptsVideo = false) {
      const answered = queue.then(() => answer(text, acceptsVideo));
      queue = answered.catch(() => undefined);
      return answered;
    },
    addCandidate,
    sendAudio: (payload, timestamp) => adapter?.sendAudio(payload, timestamp),
    sendText(text) {
      if (adapter === undefined) throw new Error("The caller has no open data channel.");
      adapter.channel.sendText(text);
    },
    video: {
      get offered() {
        return offered?.video.map(({ source }) => source) ?? [];
      },
      get accepted() {
        return videoAccepted;
      },
      receive: (wanted) => adapter?.receiveVideo(wanted),
      requestKeyFrame: (source) => adapter?.requestKeyFrame(source) ?? false,
    },
    get offersChannel() {
      return offered?.data !== undefined;
    },
    get bufferedBytes() {
      return adapter?.channel.bufferedBytes ?? 0;
    },
    get maxMessageBytes() {
      return offered?.data?.maxMessageBytes ?? 65_536;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

/** Logs exceptions of the listener, which werift would swallow, and reports events only while `active`. */
function guardListener(listener: PeerListener, { logger }: PeerOptions, active: () => boolean): PeerListener {
  const guard =
    <T>(report: (value: T) => void) =>
    (value: T): void => {
      if (!active()) return;
      try {
        report(value);
      } catch (err) {
        logger.error({ err }, "webrtc peer listener failed");
      }
    };
  return {
    state: guard((state) => listener.state(state)),
    audio: guard((packet) => listener.audio(packet)),
    video: guard((packet) => listener.video(packet)),
    loss: guard((percent) => listener.loss(percent)),
    channel: guard((state) => listener.channel(state)),
    text: guard((text) => listener.text(text)),
  };
}

/** A peer keeps one certificate, and its bundle. An offer with another certificate is from another caller, or from a caller that started over. */
function checkSameCaller(offer: Offer, before: Offer): void {
  const known = new Set(before.audio.fingerprints);
  if (!offer.audio.fingerprints.some((fingerprint) => known.has(fingerprint)))
    throw offerInvalid(
      "has another certificate (a=fingerprint) than the first offer of the call",
      "To replace the connection, set restart_pc.",
    );
  if (bundlesData(before) && offer.data !== undefined && !bundlesData(offer))
    throw offerInvalid("removes the data channel from the bundle of the audio (RFC 9143, section 7.5.3)");
}

import { Candidate, type RTCDtlsTransport, RTCPeerConnection, useOPUS } from "werift";
import { type LocalTransport, writeAnswer } from "./answer.ts";
import { type CallerChannel, createCallerChannel } from "./caller-channel.ts";
import type { IceCandidate } from "./candidate.ts";
import { writeEngineOffer } from "./engine-offer.ts";
import { createGathering, type Gathering } from "./gathering.ts";
import { boundHandshakes } from "./handshake-bounds.ts";
import { findWay } from "./ice-search.ts";
import { reportedLoss } from "./loss-report.ts";
import type { Offer, OfferedTransport } from "./offer.ts";
import type { PeerCounters, PeerListener, PeerOptions, PeerState } from "./peer-contract.ts";
import { ignoreRepeatedAnswers } from "./repeated-answers.ts";
import { guardSctp } from "./sctp-guard.ts";
import { prepareSrtpKeys } from "./srtp-keys.ts";
import { countRollovers } from "./srtp-rollover.ts";
import { createVoiceSender } from "./voice-sender.ts";

/** A peer connection of the engine's (werift), on the answering side, for offers that were checked. */
export interface Engine {
  readonly state: PeerState;
  readonly channel: CallerChannel;
  readonly counters: Omit<PeerCounters, "candidatesIgnored">;
  readonly heard: number;
  /** Not to be called again before it settled. After it rejected for the first offer, the engine is of no more use. */
  answer(offer: Offer, candidates: readonly IceCandidate[]): Promise<string>;
  /** Answers whether it is tried. */
  addCandidate(candidate: IceCandidate): boolean;
  sendAudio(payload: Uint8Array, timestamp: number): void;
  close(): Promise<void>;
}

/** The largest message we take, as other servers of Pipecat's clients announce it. */
const maxMessageBytes = 65_536;

/** As many ways to one caller as are tried. A laptop on three networks, with relays, has about twenty. */
const candidateLimit = 64;

export function openEngine(options: PeerOptions, listener: PeerListener): Engine {
  const connection = new RTCPeerConnection({
    iceServers: [],
    // Sockets are opened by us: see gathering.ts.
    iceUseIpv4: false,
    iceUseIpv6: false,
    codecs: { audio: [useOPUS()], video: [] },
    bundlePolicy: "max-bundle",
    maxMessageSize: maxMessageBytes,
  });
  // The engine would connect whatever is not connected at every answer; what has to be done is known better here.
  (connection as unknown as { connect(): Promise<void> }).connect = async () => undefined;
  const voice = connection.addTransceiver("audio", { direction: "sendrecv" });
  const voiceDtls = voice.dtlsTransport;
  const sendVoice = createVoiceSender(voice.sender, voiceDtls);
  const channel = createCallerChannel(listener, overrun);
  const transports = new Map<RTCDtlsTransport, Gathering>();
  const started = new Set<RTCDtlsTransport>();
  const closing = new AbortController();
  let guarded: unknown;
  let state: PeerState = "new";
  let current: Offer | undefined;
  let version = 0;
  let messagesIgnored = 0;
  let heard = 0;

  connection.onDataChannel.subscribe(channel.take);
  voiceDtls.onStateChange.subscribe((next) => setState(next));
  voiceDtls.iceTransport.onStateChange.subscribe((next) => {
    if (next === "failed") setState("failed");
    else if (next === "connected" && voiceDtls.state === "connected") setState("connected");
  });
  voiceDtls.onRtp.subscribe(({ header, payload }) => {
    heard += 1;
    if (header.payloadType !== current?.audio.opusPayloadType) return;
    listener.audio({ payload, sequenceNumber: header.sequenceNumber, timestamp: header.timestamp });
  });

  voiceDtls.onRtcp.subscribe((packet) => {
    heard += 1;
    const percent = reportedLoss(packet, voice.sender.ssrc);
    if (percent !== undefined) listener.loss(percent);
  });

  function setState(next: PeerState): void {
    if (next === state || state === "closed") return;
    state = next;
    listener.state(next);
  }

  async function answer(offer: Offer, candidates: readonly IceCandidate[]): Promise<string> {
    const before = current;
    await connection.setRemoteDescription({ type: "offer", sdp: writeEngineOffer(offer) });
    guardData();
    const dataDtls = connection.sctpTransport?.dtlsTransport;
    const audio = await localTransport(voiceDtls, offer.audio);
    const data =
      offer.data === undefined || dataDtls === undefined || dataDtls === voiceDtls
        ? undefined
        : await localTransport(dataDtls, offer.data);
    await connection.setLocalDescription(await connection.createAnswer());
    current = offer;
    candidates.forEach(addCandidate);
    start(voiceDtls, before?.audio, offer.audio);
    if (data !== undefined && dataDtls !== undefined && offer.data !== undefined)
      start(dataDtls, before?.data, offer.data);
    // The first offer may have had no data, or on a way of its own.
    await startData(voiceDtls);
    version += 1;
    const [fingerprint] = voiceDtls.localParameters.fingerprints;
    return writeAnswer(offer, {
      fingerprint: `${fingerprint?.algorithm} ${fingerprint?.value}`,
      audio,
      data,
      ssrc: voice.sender.ssrc,
      maxMessageBytes,
      sctpPort: connection.sctpTransport?.port ?? 5_000,
      version,
    });
  }

  async function localTransport(dtls: RTCDtlsTransport, offered: OfferedTransport): Promise<LocalTransport> {
    const { opensDtls = false } = options;
    const { setup: theirs } = offered;
    if (dtls.state === "new")
      dtls.role = theirs === "passive" || (theirs === "actpass" && opensDtls) ? "client" : "server";
    const gathering = transports.get(dtls) ?? open(dtls);
    const candidates = await gathering.gather(closing.signal);
    const { usernameFragment, password } = dtls.iceTransport.localParameters;
    return { usernameFragment, password, candidates, setup: dtls.role === "client" ? "active" : "passive" };
  }

  function open(dtls: RTCDtlsTransport): Gathering {
    boundHandshakes(dtls);
    const gathering = createGathering(dtls, options);
    transports.set(dtls, gathering);
    return gathering;
  }

  /** Begins what an offer calls for: everything at the first, the search for a way after an ICE restart, else nothing. */
  function start(dtls: RTCDtlsTransport, before: OfferedTransport | undefined, now: OfferedTransport): void {
    const isFirst = !started.has(dtls);
    started.add(dtls);
    if (!isFirst && before?.usernameFragment === now.usernameFragment && before.password === now.password) return;
    const connecting = isFirst ? connect(dtls) : dtls.iceTransport.start();
    connecting.catch((error) => {
      if (!closing.signal.aborted) options.logger.debug({ error }, "no connection to the caller");
      if (dtls === voiceDtls) setState("failed");
    });
  }

  async function connect(dtls: RTCDtlsTransport): Promise<void> {
    if (dtls === voiceDtls) setState("connecting");
    ignoreRepeatedAnswers(dtls);
    await findWay(dtls.iceTransport);
    await dtls.start();
    passUsedNumbers(dtls);
    prepareSrtpKeys(dtls);
    countRollovers(dtls);
    await startData(dtls);
  }

  /** The engine makes another association whenever an offer moves the data channel to another transport. */
  function guardData(): void {
    const data = connection.sctpTransport;
    if (data?.dtlsTransport === undefined || data.sctp === guarded) return;
    guarded = data.sctp;
    guardSctp(data, data.dtlsTransport, {
      heard: () => {
        heard += 1;
      },
      dropped: () => {
        messagesIgnored += 1;
      },
      overrun,
    });
  }

  /** Once the transport is up; what was started is not started again. */
  async function startData(dtls: RTCDtlsTransport): Promise<void> {
    const data = connection.sctpTransport;
    if (data?.dtlsTransport === dtls && dtls.state === "connected") await data.start(current?.data?.sctpPort ?? 5_000);
  }

  function overrun(): void {
    options.logger.warn("The caller sends more over its data channels than it may: its call is ended.");
    close().catch((error) => options.logger.debug({ error }, "a WebRTC peer was not closed in order"));
  }

  function addCandidate({ transport, foundation, priority, host, port, type }: IceCandidate): boolean {
    const dtls = (transport === "data" ? connection.sctpTransport?.dtlsTransport : undefined) ?? voiceDtls;
    const ice = dtls.iceTransport.connection;
    const known = ice.remoteCandidates;
    if (known.some((each) => each.host === host && each.port === port)) return true;
    if (known.length >= candidateLimit) return false;
    void ice.addRemoteCandidate(new Candidate(foundation, 1, "udp", priority, host, port, type));
    return true;
  }

  async function close(): Promise<void> {
    closing.abort();
    // A handshake under way sends its last flight again, by timers of its own, until it believes a later one done.
    for (const { dtls } of transports.keys()) if (dtls !== undefined) dtls.dtls.flight = Number.POSITIVE_INFINITY;
    await connection.close();
    // A transport whose section a later offer put into the bundle is no longer the connection's.
    for (const dtls of transports.keys()) await dtls.stop();
    setState("closed");
  }

  return {
    get state() {
      return state;
    },
    channel,
    get heard() {
      return heard;
    },
    get counters() {
      const datagramsIgnored = [...transports.values()].reduce((sum, each) => sum + each.datagramsIgnored, 0);
      return { datagramsIgnored, messagesIgnored };
    },
    answer,
    addCandidate,
    sendAudio(payload, timestamp) {
      if (state === "connected") sendVoice(payload, timestamp);
    },
    close,
  };
}

/** More than there are records in a handshake. */
const handshakeRecords = 1_000;

/**
 * The engine numbers what it sends from 1 again after its Finished, which had a later number under the same key. The record
 * that meets that number would be dropped by the caller as a repetition (RFC 6347, section 4.1.2.6), and be encrypted with
 * a nonce that was used before.
 */
function passUsedNumbers({ dtls }: RTCDtlsTransport): void {
  if (dtls !== undefined) dtls.dtls.recordSequenceNumber += handshakeRecords;
}

import type { VideoSource } from "@pipecat-ts/runner-core";
import {
  Candidate,
  PictureLossIndication,
  type RTCDataChannel,
  type RTCDtlsTransport,
  RTCPeerConnection,
  type RtcpPacket,
  RtcpPayloadSpecificFeedback,
  RtcpRrPacket,
  RtcpSrPacket,
  useOPUS,
} from "werift";
import { createVideoStreams } from "../../video/video-streams.ts";
import { type LocalTransport, writeAnswer } from "../answer.ts";
import type { IceCandidate } from "../candidate.ts";
import type { Offer, OfferedAudio, OfferedTransport } from "../offer.ts";
import type { PeerCounters, PeerListener, PeerOptions, PeerState } from "../peer-contract.ts";
import { createGathering, type Gathering } from "./gathering.ts";
import { disableAutomaticConnect } from "./patches/automatic-connect.ts";
import { catchDataChannelErrors } from "./patches/data-channel-errors.ts";
import { candidateLimit } from "./patches/datagram-filter.ts";
import { boundHandshakes } from "./patches/handshake-bounds.ts";
import { stopRetransmission } from "./patches/handshake-timers.ts";
import { holdKeyObjects } from "./patches/key-objects.ts";
import { dropPlainRecords } from "./patches/plain-records.ts";
import { skipUsedRecordNumbers } from "./patches/record-numbers.ts";
import { ignoreRepeatedHelloVerify } from "./patches/repeated-hello-verify.ts";
import { keepReportsOnly } from "./patches/rtcp-reports.ts";
import { guardSctpInput } from "./patches/sctp-input.ts";
import { markReceivedInConstantTime } from "./patches/sctp-received-numbers.ts";
import { createAudioSender } from "./patches/sender-reports.ts";
import { countRollovers } from "./patches/srtp-rollover.ts";
import { limitSources, sourceLimit } from "./patches/srtp-sources.ts";
import { writeRemoteDescription } from "./remote-description.ts";

/** A werift peer connection on the answering side, for offers that were checked. */
export interface WeriftAdapter {
  readonly state: PeerState;
  readonly channel: CallerChannel;
  readonly counters: Omit<PeerCounters, "candidatesIgnored">;
  /** See `Peer.packetsReceived`. */
  readonly packetsReceived: number;
  /** Must not be called again before it settles. Once it rejects for the first offer, the adapter must be closed. */
  answer(offer: Offer, candidates: readonly IceCandidate[], acceptsVideo: boolean): Promise<string>;
  /** Returns whether the candidate is tried. */
  addCandidate(candidate: IceCandidate): boolean;
  sendAudio(payload: Uint8Array, timestamp: number): void;
  /** See `PeerVideo`. */
  receiveVideo(wanted: boolean): void;
  requestKeyFrame(source: VideoSource): boolean;
  close(): Promise<void>;
}

/** The caller's data channel: the last one it opened. */
export interface CallerChannel {
  readonly bufferedBytes: number;
  /** Throws if no channel is open. */
  sendText(text: string): void;
}

/** The largest message that we accept, in bytes. Other servers for Pipecat's clients announce the same. */
const maxMessageBytes = 65_536;

/** The maximum number of data channels per call, open or closed: werift keeps some state of each. */
const channelLimit = 16;

export function openWeriftAdapter(options: PeerOptions, listener: PeerListener): WeriftAdapter {
  const { logger } = options;
  const connection = new RTCPeerConnection({
    iceServers: [],
    // gathering.ts opens the sockets.
    iceUseIpv4: false,
    iceUseIpv6: false,
    codecs: { audio: [useOPUS()], video: [] },
    bundlePolicy: "max-bundle",
    maxMessageSize: maxMessageBytes,
  });
  disableAutomaticConnect(connection);
  const voice = connection.addTransceiver("audio", { direction: "sendrecv" });
  const voiceDtls = voice.dtlsTransport;
  const sendVoice = createAudioSender(voice.sender, voiceDtls);
  const video = createVideoStreams();
  const transports = new Map<RTCDtlsTransport, Gathering>();
  const started = new Set<RTCDtlsTransport>();
  const announced = new Set<number>();
  const closing = new AbortController();
  let guardedSctp: unknown;
  let channel: RTCDataChannel | undefined;
  let channelsOpened = 0;
  let state: PeerState = "new";
  let current: Offer | undefined;
  let version = 0;
  let messagesIgnored = 0;
  let packetsReceived = 0;

  connection.onDataChannel.subscribe(takeChannel);
  voiceDtls.onStateChange.subscribe((next) => setState(next));
  voiceDtls.iceTransport.onStateChange.subscribe((next) => {
    if (next === "failed") setState("failed");
    else if (next === "connected" && voiceDtls.state === "connected") setState("connected");
  });
  voiceDtls.onRtp.subscribe(({ header, payload }) => {
    packetsReceived += 1;
    const { sequenceNumber, timestamp, marker } = header;
    if (header.payloadType === current?.audio.opusPayloadType) listener.audio({ payload, sequenceNumber, timestamp });
    else {
      const source = video.sourceOf(header);
      if (source !== undefined) listener.video({ source, payload, sequenceNumber, timestamp, marker });
    }
  });
  voiceDtls.onRtcp.subscribe((packet) => {
    packetsReceived += 1;
    const percent = reportedLoss(packet, voice.sender.ssrc);
    if (percent !== undefined) listener.loss(percent);
  });

  function setState(next: PeerState): void {
    if (next === state || state === "closed") return;
    state = next;
    listener.state(next);
  }

  function takeChannel(opened: RTCDataChannel): void {
    channelsOpened += 1;
    if (channelsOpened > channelLimit) {
      endOverrun();
      return;
    }
    channel = opened;
    opened.onMessage.subscribe((message) => {
      // Pipecat's iOS client sends its JSON as binary messages.
      if (channel === opened) listener.text(message.toString());
    });
    opened.stateChange.subscribe((next) => {
      if (channel !== opened || next === "connecting") return;
      if (next !== "open") channel = undefined;
      listener.channel(next === "open" ? "open" : "closed");
    });
  }

  async function answer(offer: Offer, candidates: readonly IceCandidate[], acceptsVideo: boolean): Promise<string> {
    const before = current;
    await connection.setRemoteDescription({
      type: "offer",
      sdp: writeRemoteDescription(offer, announces(offer.audio)),
    });
    guardData();
    const dataDtls = connection.sctpTransport?.dtlsTransport;
    const audio = await localTransport(voiceDtls, offer.audio);
    const data =
      offer.data === undefined || dataDtls === undefined || dataDtls === voiceDtls
        ? undefined
        : await localTransport(dataDtls, offer.data);
    await connection.setLocalDescription(await connection.createAnswer());
    current = offer;
    video.accept(acceptsVideo ? offer.video : []);
    candidates.forEach(addCandidate);
    start(voiceDtls, before?.audio, offer.audio);
    if (data !== undefined && dataDtls !== undefined && offer.data !== undefined)
      start(dataDtls, before?.data, offer.data);
    // In the first offer, data may have been missing or on a transport of its own.
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
      acceptsVideo,
      version,
    });
  }

  /** Whether werift may learn of the announced source: it keeps a track of each. Others get no receiver reports. */
  function announces({ ssrc }: OfferedAudio): boolean {
    if (ssrc !== undefined && announced.size < sourceLimit) announced.add(ssrc);
    return ssrc !== undefined && announced.has(ssrc);
  }

  async function localTransport(dtls: RTCDtlsTransport, offered: OfferedTransport): Promise<LocalTransport> {
    const { opensDtls = false } = options;
    const { setup: theirs } = offered;
    if (dtls.state === "new")
      dtls.role = theirs === "passive" || (theirs === "actpass" && opensDtls) ? "client" : "server";
    const gathering = transports.get(dtls) ?? openTransport(dtls);
    const candidates = await gathering.gather(closing.signal);
    const { usernameFragment, password } = dtls.iceTransport.localParameters;
    return { usernameFragment, password, candidates, setup: dtls.role === "client" ? "active" : "passive" };
  }

  function openTransport(dtls: RTCDtlsTransport): Gathering {
    boundHandshakes(dtls);
    const gathering = createGathering(dtls, options, video);
    transports.set(dtls, gathering);
    return gathering;
  }

  /** Starts ICE and DTLS after the first offer, ICE alone after an ICE restart, and nothing otherwise. */
  function start(dtls: RTCDtlsTransport, before: OfferedTransport | undefined, now: OfferedTransport): void {
    const isFirst = !started.has(dtls);
    started.add(dtls);
    if (!isFirst && before?.usernameFragment === now.usernameFragment && before.password === now.password) return;
    const connecting = isFirst ? connect(dtls) : dtls.iceTransport.connection.connect();
    connecting.catch((err) => {
      if (!closing.signal.aborted) logger.debug({ err }, "webrtc connection failed");
      if (dtls === voiceDtls) setState("failed");
    });
  }

  async function connect(dtls: RTCDtlsTransport): Promise<void> {
    if (dtls === voiceDtls) setState("connecting");
    ignoreRepeatedHelloVerify(dtls);
    await dtls.iceTransport.connection.connect();
    await dtls.start();
    dropPlainRecords(dtls);
    skipUsedRecordNumbers(dtls);
    holdKeyObjects(dtls);
    countRollovers(dtls);
    keepReportsOnly(dtls);
    limitSources(dtls);
    await startData(dtls);
  }

  /** werift creates another SCTP association whenever an offer moves the data channel to another transport. */
  function guardData(): void {
    const data = connection.sctpTransport;
    if (data?.dtlsTransport === undefined || data.sctp === guardedSctp) return;
    guardedSctp = data.sctp;
    const dropped = (): void => {
      messagesIgnored += 1;
    };
    markReceivedInConstantTime(data);
    catchDataChannelErrors(data, dropped);
    guardSctpInput(data, data.dtlsTransport, {
      received: () => {
        packetsReceived += 1;
      },
      dropped,
      overrun: endOverrun,
    });
  }

  /** Starts SCTP once its transport is connected. werift ignores a second start. */
  async function startData(dtls: RTCDtlsTransport): Promise<void> {
    const data = connection.sctpTransport;
    if (data?.dtlsTransport === dtls && dtls.state === "connected") await data.start(current?.data?.sctpPort ?? 5_000);
  }

  function endOverrun(): void {
    logger.warn({ channelsOpened, messagesIgnored }, "webrtc peer closed: the caller exceeds the data channel limits");
    close().catch((err) => logger.debug({ err }, "webrtc peer not closed cleanly"));
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
    for (const dtls of transports.keys()) stopRetransmission(dtls);
    await connection.close();
    // If a later offer bundled a section, its earlier transport no longer belongs to the connection.
    for (const dtls of transports.keys()) await dtls.stop();
    setState("closed");
  }

  return {
    get state() {
      return state;
    },
    channel: {
      get bufferedBytes() {
        return channel?.bufferedAmount ?? 0;
      },
      sendText(text) {
        if (channel === undefined) throw new Error("The caller has no open data channel.");
        channel.send(text);
      },
    },
    get packetsReceived() {
      return packetsReceived;
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
    receiveVideo: video.want,
    requestKeyFrame(source) {
      const mediaSsrc = video.ssrcOf(source);
      if (mediaSsrc === undefined || state !== "connected") return false;
      const feedback = new PictureLossIndication({ senderSsrc: voice.sender.ssrc, mediaSsrc });
      void voiceDtls.sendRtcp([new RtcpPayloadSpecificFeedback({ feedback })]);
      return true;
    },
    close,
  };
}

/** The share of packets from source `ssrc` that were lost since the last report, in % (RFC 3550, section 6.4.1). */
export function reportedLoss(packet: RtcpPacket, ssrc: number): number | undefined {
  if (!(packet instanceof RtcpRrPacket || packet instanceof RtcpSrPacket)) return undefined;
  const report = packet.reports.find((each) => each.ssrc === ssrc);
  return report && (report.fractionLost / 256) * 100;
}

import { withTimeout } from "@pipecat-ts/runner-core";
import type { ImpairedNetwork } from "@pipecat-ts/runner-core/caller";
import {
  type MediaStreamTrack,
  PictureLossIndication,
  type RTCDataChannel,
  type RTCIceServer,
  RTCPeerConnection,
  RtpHeader,
  RtpPacket,
  useOPUS,
  useSdesMid,
  useVP8,
} from "werift";
import type { VideoPacket } from "../peer.ts";
import type { UdpTransport } from "../udp-transport.ts";
import { holdKeyObjects } from "./patches/key-objects.ts";
import { sendHelloAtOnce } from "./patches/late-hello.ts";
import { ignoreRepeatedHelloVerify } from "./patches/repeated-hello-verify.ts";

export interface PeerCallerOptions {
  /** Changes its offer before it is sent, to that of another client. */
  readonly rewriteOffer?: (sdp: string) => string;
  /** Changes the answer to the rewritten offer, to one that werift accepts. */
  readonly rewriteAnswer?: (sdp: string) => string;
  /** Whether it opens a data channel. Default true. */
  readonly dataChannel?: boolean;
  /** The channel's label. Default `chat`. */
  readonly channelLabel?: string;
  /** The RTP payload type of Opus. */
  readonly payloadType?: number;
  /** The sequence number before its first RTP packet. Default 1,000. */
  readonly sequenceNumber?: number;
  /** Whether it is an ICE lite agent, as servers are. Default false. */
  readonly iceLite?: boolean;
  /** The number of video sections, which send VP8: camera, then screen. Default 0. */
  readonly videoSections?: number;
  /** Whether it keeps what it received in `texts` and `packets`. Default true. */
  readonly records?: boolean;
  /** What happens to its audio packets. */
  readonly network?: ImpairedNetwork | undefined;
  readonly iceServers?: readonly RTCIceServer[];
  readonly relayOnly?: boolean;
}

/** A simulated caller: the offering side, like a browser. */
export interface PeerCaller {
  readonly connection: RTCPeerConnection;
  readonly channel: RTCDataChannel | undefined;
  /** The received data channel messages, in order. */
  readonly texts: readonly string[];
  /** The received audio packets, in order. */
  readonly packets: readonly RtpPacket[];
  /** Creates an offer with candidates and sets it as local description. */
  offer(options?: { readonly iceRestart?: boolean }): Promise<string>;
  accept(answerSdp: string): Promise<void>;
  /** Sends a raw datagram to the peer. */
  sendDatagram(data: Buffer): Promise<void>;
  /** Sends one Opus packet, 20 ms after the last one by its timestamp. */
  sendAudio(payload: Uint8Array): void;
  /** Sends one RTP packet of video in section `index`. */
  sendVideo(packet: Omit<VideoPacket, "source">, index?: number): void;
  /** The number of key frames that were requested for section `index`. */
  keyFrameRequests(index?: number): number;
  /** Calls `listener` with each audio packet. */
  onPacket(listener: (packet: RtpPacket) => void): void;
  /** Calls `listener` with each text. */
  onText(listener: (text: string) => void): void;
  /** Resolves once media and the data channel, if any, are connected. */
  connected(timeoutMs: number): Promise<void>;
  /** Calls `listener` with each datagram that arrives at the current sockets. */
  onDatagram(listener: (bytes: Buffer) => void): void;
  /** Drops every datagram, both ways, until the returned function is called. */
  cut(): () => void;
  /** Sends each DTLS handshake datagram twice, as on a slow network. */
  repeatHandshake(): void;
  close(): Promise<void>;
}

/** The sockets of a werift connection, which are private. */
function protocolsOf(ice: unknown): { readonly transport: Pick<UdpTransport, "onData" | "send"> }[] {
  return (ice as { readonly protocols: { readonly transport: UdpTransport }[] }).protocols;
}

/** The content type of a DTLS handshake record (RFC 6347, section 4.1). */
const dtlsHandshake = 22;

/** The smallest Opus packet of 20 ms: silence (RFC 6716, section 3.1: a TOC byte and an empty frame). */
export const silence: Uint8Array = Uint8Array.of(0xf8, 0xff, 0xfe);

/** Creates a caller. `offer()` opens sockets and `close()` releases them. */
export function createPeerCaller(options: PeerCallerOptions = {}): PeerCaller {
  const { rewriteOffer = (sdp) => sdp, rewriteAnswer = (sdp) => sdp } = options;
  const connection = new RTCPeerConnection({
    iceServers: [...(options.iceServers ?? [])],
    iceTransportPolicy: options.relayOnly === true ? "relay" : "all",
    iceLite: options.iceLite ?? false,
    codecs: {
      audio: [useOPUS(options.payloadType === undefined ? {} : { payloadType: options.payloadType })],
      video: [useVP8()],
    },
    headerExtensions: { video: [useSdesMid()] },
    // With any other policy, werift leaks a socket on the offering side.
    bundlePolicy: "max-bundle",
  });
  const transceiver = connection.addTransceiver("audio", { direction: "sendrecv" });
  const videos = Array.from({ length: options.videoSections ?? 0 }, () =>
    connection.addTransceiver("video", { direction: "sendonly" }),
  );
  const keyFrameRequests = videos.map(() => 0);
  // werift gives a sender only requests that come from an unknown source.
  transceiver.dtlsTransport.onRtcp.subscribe((packet) => {
    const { feedback } = Object(packet) as { readonly feedback?: unknown };
    if (!(feedback instanceof PictureLossIndication)) return;
    const index = videos.findIndex(({ sender }) => sender.ssrc === feedback.mediaSsrc);
    keyFrameRequests[index] = (keyFrameRequests[index] ?? 0) + 1;
  });
  const channel =
    options.dataChannel === false ? undefined : connection.createDataChannel(options.channelLabel ?? "chat");
  // Without a STUN server, werift would ask Google's, and an offer would wait up to 5 s for it.
  if (!options.iceServers?.some(({ urls }) => [urls].flat().some((url) => url.startsWith("stun"))))
    for (const { iceTransport } of connection.dtlsTransports) delete iceTransport.connection.stunServer;
  const texts: string[] = [];
  const packets: RtpPacket[] = [];
  let { sequenceNumber = 1_000 } = options;
  let timestamp = 48_000;
  const settled = Promise.withResolvers<void>();
  let everConnected = false;
  let isPatched = false;
  const update = (): void => {
    everConnected ||=
      connection.connectionState === "connected" && (channel === undefined || channel.readyState === "open");
    if (everConnected || connection.connectionState === "closed") settled.resolve();
  };
  const sockets = () =>
    connection.dtlsTransports.flatMap(({ iceTransport }) =>
      protocolsOf(iceTransport.connection).map(({ transport }) => transport),
    );
  connection.connectionStateChange.subscribe(update);
  channel?.stateChange.subscribe(update);
  if (options.records !== false) {
    channel?.onMessage.subscribe((message) => texts.push(message.toString()));
    transceiver.onTrack.subscribe((track: MediaStreamTrack) =>
      track.onReceiveRtp.subscribe((rtp) => packets.push(rtp)),
    );
  }

  return {
    connection,
    channel,
    texts,
    packets,
    async offer({ iceRestart = false } = {}) {
      await connection.setLocalDescription(await connection.createOffer({ iceRestart }));
      if (!isPatched) {
        connection.dtlsTransports.forEach(ignoreRepeatedHelloVerify);
        connection.dtlsTransports.forEach(sendHelloAtOnce);
        for (const dtls of connection.dtlsTransports)
          dtls.onStateChange.subscribe((state) => {
            if (state === "connected") holdKeyObjects(dtls);
          });
        isPatched = true;
      }
      return rewriteOffer(connection.localDescription?.sdp ?? "");
    },
    async accept(sdp) {
      await connection.setRemoteDescription({ type: "answer", sdp: rewriteAnswer(sdp) });
      // After an ICE restart, werift does not start ICE while DTLS is connected.
      for (const { iceTransport, state } of connection.dtlsTransports)
        if (state === "connected" && iceTransport.state !== "connected") void iceTransport.start();
      // Nor does it start a data channel that was not in the first offer.
      const data = connection.sctpTransport;
      if (data?.dtlsTransport.state === "connected") await data.start(5_000);
    },
    async sendDatagram(data) {
      await connection.dtlsTransports[0]?.iceTransport.connection.send(data);
    },
    sendAudio(payload) {
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      timestamp = (timestamp + 960) >>> 0;
      const packet = new RtpPacket(new RtpHeader({ sequenceNumber, timestamp }), Buffer.from(payload));
      const send = () => void transceiver.sender.sendRtp(packet);
      if (options.network) options.network.send(send);
      else send();
    },
    sendVideo({ payload, sequenceNumber, timestamp, marker }, index = 0) {
      const header = new RtpHeader({ sequenceNumber, timestamp, marker });
      void videos[index]?.sender.sendRtp(new RtpPacket(header, Buffer.from(payload)));
    },
    keyFrameRequests: (index = 0) => keyFrameRequests[index] ?? 0,
    onPacket(listener) {
      transceiver.onTrack.subscribe((track) => track.onReceiveRtp.subscribe(listener));
    },
    onText(listener) {
      channel?.onMessage.subscribe((message) => listener(message.toString()));
    },
    async connected(timeoutMs) {
      if (!(await withTimeout(settled.promise, timeoutMs)))
        throw new Error(`The peer is not connected after ${timeoutMs} ms.`);
      if (!everConnected) throw new Error("The peer was closed before it was connected.");
    },
    onDatagram(listener) {
      for (const transport of sockets()) {
        const { onData } = transport;
        transport.onData = (bytes, address) => {
          listener(bytes);
          onData(bytes, address);
        };
      }
    },
    cut() {
      const restored = sockets().map((transport) => {
        const { onData, send } = transport;
        transport.onData = () => undefined;
        transport.send = async () => undefined;
        return () => Object.assign(transport, { onData, send });
      });
      return () => {
        for (const restore of restored) restore();
      };
    },
    repeatHandshake() {
      for (const { iceTransport } of connection.dtlsTransports)
        for (const { transport } of protocolsOf(iceTransport.connection)) {
          const { send } = transport;
          transport.send = async (data, to) => {
            await send(data, to);
            if (data[0] === dtlsHandshake) await send(data, to);
          };
        }
    },
    close() {
      options.network?.close();
      return connection.close();
    },
  };
}

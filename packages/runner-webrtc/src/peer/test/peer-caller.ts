import { until } from "@pipecat-ts/runner-testing";
import {
  type MediaStreamTrack,
  type RTCDataChannel,
  type RTCIceServer,
  RTCPeerConnection,
  RtpHeader,
  RtpPacket,
  useOPUS,
} from "werift";
import { ignoreRepeatedAnswers } from "../repeated-answers.ts";
import type { UdpTransport } from "../udp-transport.ts";

/** How a caller of the tests calls. */
export interface PeerCallerOptions {
  /** Whether it opens a data channel. Default true. */
  readonly dataChannel?: boolean;
  /** The channel's label. Default `chat`. */
  readonly channelLabel?: string;
  /** RTP's number for Opus. */
  readonly payloadType?: number;
  /** The number before that of its first RTP packet. Default 1,000. */
  readonly sequenceNumber?: number;
  /** Whether it runs ICE in its lite form, as servers do: it waits for the other side's checks. Default false. */
  readonly iceLite?: boolean;
  readonly iceServers?: readonly RTCIceServer[];
  readonly relayOnly?: boolean;
}

/** A caller of the tests: the offering side, as a browser would be. */
export interface PeerCaller {
  readonly connection: RTCPeerConnection;
  readonly channel: RTCDataChannel | undefined;
  /** What came over the data channel, in order. */
  readonly texts: readonly string[];
  /** The audio packets that came, in order. */
  readonly packets: readonly RtpPacket[];
  /** Makes an offer (its candidates in it) and makes it its local description. */
  offer(options?: { readonly iceRestart?: boolean }): Promise<string>;
  accept(answerSdp: string): Promise<void>;
  /** Sends one Opus packet of its own numbering, 20 ms after the one before. */
  sendAudio(payload: Uint8Array): void;
  /** Has each audio packet told as it comes. */
  onPacket(listener: (packet: RtpPacket) => void): void;
  /** Has each text told as it comes. */
  onText(listener: (text: string) => void): void;
  /** Resolves when media and, where it opens one, the data channel are up. */
  connected(timeoutMs: number): Promise<void>;
  /** Has each datagram told that comes to the sockets there are now. */
  onDatagram(listener: (bytes: Buffer) => void): void;
  /** Drops every datagram from now on, both ways, until what it returns is called. */
  cut(): () => void;
  /** Sends what of the DTLS handshake it sends twice, as when the network was slow. */
  stutter(): void;
  close(): Promise<void>;
}

/** The sockets of an engine's connection, which its types hide. */
function protocolsOf(ice: unknown): { readonly transport: Pick<UdpTransport, "onData" | "send"> }[] {
  return (ice as { readonly protocols: { readonly transport: UdpTransport }[] }).protocols;
}

/** The first byte of a DTLS record that belongs to the handshake (RFC 6347, section 4.1). */
const dtlsHandshake = 22;

/** The smallest Opus packet of 20 ms: silence (RFC 6716, section 3.1: a TOC byte and an empty frame). */
export const silence: Uint8Array = Uint8Array.of(0xf8, 0xff, 0xfe);

/** Creates a caller. It opens sockets at `offer()`, so `close()` it. */
export function createPeerCaller(options: PeerCallerOptions = {}): PeerCaller {
  const connection = new RTCPeerConnection({
    iceServers: [...(options.iceServers ?? [])],
    iceTransportPolicy: options.relayOnly === true ? "relay" : "all",
    iceLite: options.iceLite ?? false,
    codecs: {
      audio: [useOPUS(options.payloadType === undefined ? {} : { payloadType: options.payloadType })],
      video: [],
    },
    // Any other policy leaks a socket of the offering side.
    bundlePolicy: "max-bundle",
  });
  const transceiver = connection.addTransceiver("audio", { direction: "sendrecv" });
  const channel =
    options.dataChannel === false ? undefined : connection.createDataChannel(options.channelLabel ?? "chat");
  const texts: string[] = [];
  const packets: RtpPacket[] = [];
  let { sequenceNumber = 1_000 } = options;
  let timestamp = 48_000;
  let wasUp = false;
  let guarded = false;
  const look = (): void => {
    wasUp ||= connection.connectionState === "connected" && (channel === undefined || channel.readyState === "open");
  };
  const sockets = () =>
    connection.dtlsTransports.flatMap(({ iceTransport }) =>
      protocolsOf(iceTransport.connection).map(({ transport }) => transport),
    );
  connection.connectionStateChange.subscribe(look);
  channel?.stateChange.subscribe(look);
  channel?.onMessage.subscribe((message) => texts.push(message.toString()));
  transceiver.onTrack.subscribe((track: MediaStreamTrack) => track.onReceiveRtp.subscribe((rtp) => packets.push(rtp)));

  return {
    connection,
    channel,
    texts,
    packets,
    async offer({ iceRestart = false } = {}) {
      await connection.setLocalDescription(await connection.createOffer({ iceRestart }));
      if (!guarded) connection.dtlsTransports.forEach(ignoreRepeatedAnswers);
      guarded = true;
      return connection.localDescription?.sdp ?? "";
    },
    async accept(sdp) {
      await connection.setRemoteDescription({ type: "answer", sdp });
      // After an ICE restart the engine leaves the search for a way to its user, because DTLS goes on.
      for (const { iceTransport, state } of connection.dtlsTransports)
        if (state === "connected" && iceTransport.state !== "connected") void iceTransport.start();
      // And a data channel that was not in the first offer.
      const data = connection.sctpTransport;
      if (data?.dtlsTransport.state === "connected") await data.start(5_000);
    },
    sendAudio(payload) {
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      timestamp = (timestamp + 960) >>> 0;
      const header = new RtpHeader({ sequenceNumber, timestamp });
      void transceiver.sender.sendRtp(new RtpPacket(header, Buffer.from(payload)));
    },
    onPacket(listener) {
      transceiver.onTrack.subscribe((track) => track.onReceiveRtp.subscribe(listener));
    },
    onText(listener) {
      channel?.onMessage.subscribe((message) => listener(message.toString()));
    },
    async connected(timeoutMs) {
      await until("the caller is connected", () => wasUp || connection.connectionState === "closed", timeoutMs);
      if (!wasUp) throw new Error("The peer was closed before it was connected.");
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
    stutter() {
      for (const { iceTransport } of connection.dtlsTransports)
        for (const { transport } of protocolsOf(iceTransport.connection)) {
          const { send } = transport;
          transport.send = async (data, to) => {
            await send(data, to);
            if (data[0] === dtlsHandshake) await send(data, to);
          };
        }
    },
    close: () => connection.close(),
  };
}

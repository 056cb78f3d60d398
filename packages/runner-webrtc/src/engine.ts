import { type RTCDataChannel, RTCPeerConnection, type RTCRtpTransceiver, RtpHeader, RtpPacket, useOPUS } from "werift";
import type { Peer, PeerListener, PeerOptions, PeerState, RemoteCandidate } from "./peer-contract.ts";

/** How long an unreachable STUN server may hold up an answer, in seconds. */
const stunPatience = 0.2;

/** One peer connection of the engine's. */
export type EngineLine = Peer;

/** Opens a peer connection over werift. */
export function openLine(options: PeerOptions, listener: PeerListener): EngineLine {
  const connection = new RTCPeerConnection({
    iceServers: options.iceServers.map((server) => ({ ...server, urls: [server.urls].flat() })),
    iceTransportPolicy: options.relayOnly === true ? "relay" : "all",
    iceStunGatherTimeout: stunPatience,
    ...(options.announceIp === undefined ? {} : { iceAdditionalHostAddresses: [] }),
    ...(options.udpPorts === undefined ? {} : { icePortRange: [options.udpPorts[0], options.udpPorts[1]] }),
    codecs: { audio: [useOPUS()], video: [] },
    bundlePolicy: "max-bundle",
    maxMessageSize: 65_536,
  });
  const audio: RTCRtpTransceiver = connection.addTransceiver("audio", { direction: "sendrecv" });
  let state: PeerState = "new";
  let channel: RTCDataChannel | undefined;
  let maxMessageBytes = 65_536;
  let sequenceNumber = Math.floor(Math.random() * 0x8000);

  audio.onTrack.subscribe((track) => {
    track.onReceiveRtp.subscribe(({ header, payload }) =>
      listener.audio({ payload, sequenceNumber: header.sequenceNumber, timestamp: header.timestamp }),
    );
  });
  connection.connectionStateChange.subscribe((next) => {
    if (next !== "disconnected") setState(next);
  });
  connection.onDataChannel.subscribe((opened) => {
    channel = opened;
    opened.onMessage.subscribe((message) => {
      if (channel === opened && typeof message === "string") listener.text(message);
    });
    opened.stateChange.subscribe((next) => {
      if (channel !== opened) return;
      if (next === "open") listener.channel("open");
      else if (next === "closing" || next === "closed") {
        channel = undefined;
        listener.channel("closed");
      }
    });
  });

  function setState(next: PeerState): void {
    if (next === state || state === "closed") return;
    state = next;
    listener.state(next);
  }

  async function answer(offerSdp: string): Promise<string> {
    await connection.setRemoteDescription({ type: "offer", sdp: offerSdp });
    const offersPassive = /^a=setup:passive\r?$/m.test(offerSdp);
    for (const transport of connection.dtlsTransports)
      if (transport.state === "new") transport.role = offersPassive ? "client" : "server";
    maxMessageBytes = Number(offerSdp.match(/^a=max-message-size:(\d+)/m)?.[1] ?? 65_536);
    await connection.setLocalDescription(await connection.createAnswer());
    return connection.localDescription?.sdp ?? "";
  }

  return {
    get state() {
      return state;
    },
    answer,
    addCandidate(candidate: RemoteCandidate) {
      connection
        .addIceCandidate({
          candidate: candidate.candidate,
          ...(candidate.sdpMid === undefined ? {} : { sdpMid: candidate.sdpMid }),
          ...(candidate.sdpMLineIndex === undefined ? {} : { sdpMLineIndex: candidate.sdpMLineIndex }),
        })
        .catch((error) => options.logger.debug({ error }, "candidate of no use"));
    },
    sendAudio(payload, timestamp) {
      if (state !== "connected") return;
      sequenceNumber = (sequenceNumber + 1) & 0xffff;
      const header = new RtpHeader({ sequenceNumber, timestamp: timestamp >>> 0 });
      audio.sender
        .sendRtp(new RtpPacket(header, Buffer.from(payload.buffer, payload.byteOffset, payload.length)))
        .catch((error) => options.logger.debug({ error }, "audio packet not sent"));
    },
    sendText(text) {
      if (channel === undefined) throw new Error("The caller has no data channel open.");
      channel.send(text);
    },
    get bufferedBytes() {
      return channel?.bufferedAmount ?? 0;
    },
    get maxMessageBytes() {
      return maxMessageBytes;
    },
    async close() {
      await connection.close();
      setState("closed");
    },
  };
}

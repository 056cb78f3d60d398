import { bundlesData, type Offer, type OfferedTransport } from "../offer.ts";

/**
 * Writes the part of an offer that werift needs: Opus and the data channel, with names and an order that do not depend on the
 * offer. It leaves out candidates, which the adapter adds one by one. Two audio sections in one bundle become one: werift gets
 * the caller's packets from the transport, and only needs the payload type to send, and the source to report what arrives.
 */
export function writeRemoteDescription(offer: Offer, announcesSource: boolean): string {
  const { audio, playback, data } = offer;
  const { opusPayloadType } = playback ?? audio;
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    ...(offer.iceLite ? ["a=ice-lite"] : []),
    // A later offer may leave out the group of a single section. werift would reject it.
    `a=group:BUNDLE audio${bundlesData(offer) ? " data" : ""}`,
    `m=audio 9 UDP/TLS/RTP/SAVPF ${opusPayloadType}`,
    ...transportLines("audio", audio),
    `a=${playback === undefined ? audio.direction : "sendrecv"}`,
    "a=rtcp-mux",
    `a=rtpmap:${opusPayloadType} opus/48000/2`,
    ...(audio.ssrc === undefined || !announcesSource ? [] : [`a=ssrc:${audio.ssrc} cname:caller`]),
  ];
  if (data !== undefined) {
    const size = Number.isFinite(data.maxMessageBytes) ? data.maxMessageBytes : 0;
    lines.push(
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
      ...transportLines("data", data),
      `a=sctp-port:${data.sctpPort}`,
      `a=max-message-size:${size}`,
    );
  }
  return `${lines.join("\r\n")}\r\n`;
}

function transportLines(mid: string, transport: OfferedTransport): string[] {
  return [
    "c=IN IP4 0.0.0.0",
    `a=mid:${mid}`,
    `a=ice-ufrag:${transport.usernameFragment}`,
    `a=ice-pwd:${transport.password}`,
    ...transport.fingerprints.map((fingerprint) => `a=fingerprint:${fingerprint}`),
    `a=setup:${transport.setup}`,
  ];
}

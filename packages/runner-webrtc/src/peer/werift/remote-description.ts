import type { Offer, OfferedTransport } from "../offer.ts";

/**
 * Writes the part of an offer that werift needs: Opus and the data channel. It leaves out rejected sections, and candidates,
 * which the adapter adds one by one.
 */
export function writeRemoteDescription(offer: Offer): string {
  const { audio, data } = offer;
  const served = offer.sections.filter(({ mid }) => mid === audio.mid || mid === data?.mid);
  const bundle = offer.bundle.filter((mid) => served.some((section) => section.mid === mid));
  const lines = [
    "v=0",
    "o=- 1 1 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    ...(offer.iceLite ? ["a=ice-lite"] : []),
    ...(bundle.length === 0 ? [] : [`a=group:BUNDLE ${bundle.join(" ")}`]),
  ];
  for (const { mid } of served) {
    if (mid === audio.mid) {
      lines.push(
        `m=audio 9 UDP/TLS/RTP/SAVPF ${audio.opusPayloadType}`,
        ...transportLines(mid, audio),
        `a=${audio.direction}`,
        "a=rtcp-mux",
        `a=rtpmap:${audio.opusPayloadType} opus/48000/2`,
        ...(audio.ssrc === undefined ? [] : [`a=ssrc:${audio.ssrc} cname:caller`]),
      );
    } else if (data !== undefined) {
      const size = Number.isFinite(data.maxMessageBytes) ? data.maxMessageBytes : 0;
      lines.push(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        ...transportLines(mid, data),
        `a=sctp-port:${data.sctpPort}`,
        `a=max-message-size:${size}`,
      );
    }
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

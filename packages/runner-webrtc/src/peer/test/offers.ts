/**
 * Offers like those of real clients, with the sections, attributes and order from the clients' sources and RFC 8829. Addresses
 * are from the documentation ranges (RFC 5737).
 */

const fingerprint =
  "sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:3A:4C:11:22:33:44:55:66:77:88:99:AA";

function sdp(...lines: readonly (string | readonly string[])[]): string {
  return `${lines.flat().join("\r\n")}\r\n`;
}

/** Chromium: audio, video and data, bundled, with trickled candidates. */
export const chromium: string = sdp(
  ["v=0", "o=- 4611731400430051336 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1 2"],
  ["a=extmap-allow-mixed", "a=msid-semantic: WMS"],
  ["m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0"],
  chromiumTransport("0"),
  ["a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "a=sendrecv", "a=msid:stream voice", "a=rtcp-mux"],
  ["a=rtcp-rsize", "a=rtpmap:111 opus/48000/2", "a=rtcp-fb:111 transport-cc", "a=fmtp:111 minptime=10;useinbandfec=1"],
  ["a=rtpmap:63 red/48000/2", "a=fmtp:63 111/111", "a=rtpmap:9 G722/8000", "a=rtpmap:0 PCMU/8000"],
  ["a=rtpmap:8 PCMA/8000", "a=rtpmap:13 CN/8000", "a=rtpmap:110 telephone-event/48000"],
  ["a=rtpmap:126 telephone-event/8000", "a=ssrc:1001 cname:caller", "a=ssrc:1001 msid:stream voice"],
  ["m=video 9 UDP/TLS/RTP/SAVPF 96 97", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0"],
  chromiumTransport("1"),
  ["a=sendrecv", "a=rtcp-mux", "a=rtpmap:96 VP8/90000", "a=rtpmap:97 rtx/90000", "a=fmtp:97 apt=96"],
  ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0"],
  chromiumTransport("2"),
  ["a=sctp-port:5000", "a=max-message-size:262144"],
);

function chromiumTransport(mid: string): string[] {
  return [
    "a=ice-ufrag:Yx3d",
    "a=ice-pwd:0aXcVbNmAsDfGhJkL1234567",
    "a=ice-options:trickle",
    `a=fingerprint:${fingerprint}`,
    "a=setup:actpass",
    `a=mid:${mid}`,
  ];
}

/** Firefox: a session-level fingerprint, stereo, and mDNS candidates. */
export const firefox: string = sdp(
  ["v=0", "o=mozilla...THIS_IS_SDPARTA-99.0 8912345678901234567 0 IN IP4 0.0.0.0", "s=-", "t=0 0"],
  [
    "a=sendrecv",
    `a=fingerprint:${fingerprint}`,
    "a=group:BUNDLE 0 1",
    "a=ice-options:trickle",
    "a=msid-semantic:WMS *",
  ],
  ["m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101", "c=IN IP4 0.0.0.0"],
  ["a=candidate:0 1 UDP 2122252543 7d5a8a1c-23e1-4f5e-9f2c-0a1b2c3d4e5f.local 54321 typ host"],
  ["a=candidate:1 1 TCP 2105524479 7d5a8a1c-23e1-4f5e-9f2c-0a1b2c3d4e5f.local 9 typ host tcptype active"],
  ["a=sendrecv", "a=end-of-candidates", "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level"],
  ["a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1", "a=fmtp:101 0-15"],
  ["a=ice-pwd:5d5f0d2c9b8a7e6f1a2b3c4d5e6f7a8b", "a=ice-ufrag:a1b2c3d4", "a=mid:0"],
  ["a=msid:{6e3f} {9a1c}", "a=rtcp-mux", "a=rtpmap:109 opus/48000/2", "a=rtpmap:9 G722/8000/1"],
  ["a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000/1"],
  ["a=setup:actpass", "a=ssrc:3405691582 cname:{caller}"],
  ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=sendrecv"],
  ["a=ice-pwd:5d5f0d2c9b8a7e6f1a2b3c4d5e6f7a8b", "a=ice-ufrag:a1b2c3d4", "a=mid:1", "a=setup:actpass"],
  ["a=sctp-port:5000", "a=max-message-size:1073741823"],
);

/** Safari: other payload types, and no announced source. */
export const safari: string = sdp(
  ["v=0", "o=- 1234567890123456789 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"],
  ["a=extmap-allow-mixed", "a=msid-semantic: WMS stream"],
  ["m=audio 9 UDP/TLS/RTP/SAVPF 96 97 98", "c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0"],
  chromiumTransport("0"),
  ["a=sendrecv", "a=msid:stream voice", "a=rtcp-mux", "a=rtpmap:96 opus/48000/2"],
  ["a=fmtp:96 minptime=10;useinbandfec=1", "a=rtpmap:97 red/48000/2", "a=fmtp:97 96/96", "a=rtpmap:98 PCMU/8000"],
  ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0"],
  chromiumTransport("1"),
  ["a=sctp-port:5000", "a=max-message-size:65536"],
);

/** Pipecat's ESP32 client: DTLS server, session-level credentials, SAVP, all candidates in the last section. */
export const esp32: string = sdp(
  ["v=0", "o=- 1495799811084970 1495799811084970 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=msid-semantic: iot"],
  ["a=group:BUNDLE audio datachannel", `a=fingerprint:${fingerprint}`, "a=setup:passive"],
  ["a=ice-ufrag:esp3", "a=ice-pwd:abcdefghijklmnopqrstuvwx"],
  ["m=audio 9 UDP/TLS/RTP/SAVP 111", "c=IN IP4 0.0.0.0", "a=rtpmap:111 opus/48000/2", "a=ssrc:6 cname:webrtc-audio"],
  ["a=mid:audio", "a=sendrecv", "a=rtcp-mux"],
  ["m=application 50712 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:datachannel"],
  ["a=sctp-port:5000", "a=max-message-size:262144"],
  ["a=candidate:1 1 UDP 2122317823 198.51.100.7 50712 typ host"],
);

/** A minimal page: audio only, without bundle, mid or announced source. */
export const voiceAlone: string = sdp(
  ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"],
  ["m=audio 9 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=ice-ufrag:Yx3d", "a=ice-pwd:0aXcVbNmAsDfGhJkL1234567"],
  [`a=fingerprint:${fingerprint}`, "a=setup:active", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2"],
);

/**
 * WhatsApp's media server in user-initiated calls: ICE lite, a padded password, DTMF, no data channel
 * (https://developers.facebook.com/docs/whatsapp/cloud-api/calling/user-initiated-calls).
 */
export const whatsapp: string = sdp(
  ["v=0", "o=- 1753115233717 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE audio"],
  ["a=msid-semantic: WMS stream", "a=ice-lite", "m=audio 3484 UDP/TLS/RTP/SAVPF 111 126", "c=IN IP4 198.51.100.35"],
  ["a=rtcp:9 IN IP4 0.0.0.0"],
  ["a=candidate:2776204705 1 udp 2122260223 198.51.100.35 3484 typ host generation 0 network-cost 50"],
  ["a=candidate:282356334 1 udp 2122262783 2001:db8::699c 3484 typ host generation 0 network-cost 50"],
  ["a=ice-ufrag:MkBWnyZXw+wMTKqA", "a=ice-pwd:AbCdEfGhIjKlMnOpQrStUv==", `a=fingerprint:${fingerprint}`],
  ["a=setup:actpass", "a=mid:audio", "a=sendrecv", "a=msid:stream track", "a=rtcp-mux", "a=rtpmap:111 opus/48000/2"],
  ["a=rtcp-fb:111 transport-cc"],
  ["a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;useinbandfec=1"],
  ["a=rtpmap:126 telephone-event/8000", "a=maxptime:20", "a=ptime:20", "a=ssrc:3435760938 cname:audio"],
);

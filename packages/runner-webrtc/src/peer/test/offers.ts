/**
 * Offers like those of real clients, with the sections, attributes and order from the clients' sources and RFC 8829. Addresses
 * are from the documentation ranges (RFC 5737). `clientOffers`, at the end, has all of them.
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

/** Codecs as `TYPE NAME PARAMETERS`. */
type Codecs = readonly string[];

interface LibwebrtcOffer {
  readonly sections: readonly ("microphone" | "camera" | "screen" | "data")[];
  readonly videoCodecs: Codecs;
  /** `a=candidate` values, in every section. A client that trickles has none. */
  readonly candidates?: readonly string[];
}

/** An offer of libwebrtc (https://webrtc.googlesource.com/src), which is part of most clients. */
function libwebrtc({ sections, videoCodecs, candidates = [] }: LibwebrtcOffer): string {
  const mids = sections.map((_, index) => String(index));
  const transport = (mid: string) => [...candidates.map((each) => `a=candidate:${each}`), ...chromiumTransport(mid)];
  const media = (kind: "audio" | "video", mid: string, direction: string, codecs: Codecs) => [
    `m=${kind} 9 UDP/TLS/RTP/SAVPF ${codecs.map((codec) => codec.split(" ")[0]).join(" ")}`,
    ...["c=IN IP4 0.0.0.0", "a=rtcp:9 IN IP4 0.0.0.0", ...transport(mid)],
    ...(kind === "audio"
      ? ["a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level"]
      : ["a=extmap:13 urn:3gpp:video-orientation"]),
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    ...["a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid", `a=${direction}`, `a=msid:- track-${mid}`],
    ...["a=rtcp-mux", "a=rtcp-rsize", "a=rtcp-xr:rcvr-rtt=all", ...codecs.flatMap(codecLines)],
    ...(kind === "video" ? [`a=ssrc-group:FID 200${mid} 300${mid}`, `a=ssrc:300${mid} cname:caller`] : []),
    ...[`a=ssrc:200${mid} cname:caller`, `a=ssrc:200${mid} msid:- track-${mid}`],
  ];
  const data = (mid: string) => [
    ...["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", ...transport(mid)],
    ...["a=sctp-port:5000", "a=max-message-size:262144"],
  ];
  return sdp(
    ["v=0", "o=- 7207614024730420060 2 IN IP4 127.0.0.1", "s=-", "t=0 0", `a=group:BUNDLE ${mids.join(" ")}`],
    ["a=extmap-allow-mixed", "a=msid-semantic: WMS"],
    ...sections.map((section, index) => {
      if (section === "data") return data(String(index));
      if (section === "microphone") return media("audio", String(index), "sendrecv", libwebrtcAudio);
      return media("video", String(index), section === "camera" ? "sendrecv" : "sendonly", videoCodecs);
    }),
  );
}

function codecLines(codec: string): string[] {
  const [type, name = "", parameters] = codec.split(" ");
  const feedback = /^(VP8|VP9|AV1|H26)/.test(name) ? ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] : [];
  return [
    `a=rtpmap:${type} ${name}`,
    ...feedback.map((each) => `a=rtcp-fb:${type} ${each}`),
    ...(parameters === undefined ? [] : [`a=fmtp:${type} ${parameters}`]),
  ];
}

const libwebrtcAudio: Codecs = [
  ...["111 opus/48000/2 minptime=10;useinbandfec=1", "63 red/48000/2 111/111", "9 G722/8000", "0 PCMU/8000"],
  ...["8 PCMA/8000", "13 CN/8000", "110 telephone-event/48000", "126 telephone-event/8000"],
];
const h264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=";
const chromiumVideo: Codecs = [
  ...["96 VP8/90000", "97 rtx/90000 apt=96", `102 H264/90000 ${h264}42001f`, "103 rtx/90000 apt=102"],
  ...["45 AV1/90000 level-idx=5;profile=0;tier=0", "46 rtx/90000 apt=45", "98 VP9/90000 profile-id=0"],
  ...["99 rtx/90000 apt=98", "118 red/90000", "119 rtx/90000 apt=118", "120 ulpfec/90000"],
];
/** Apple's devices prefer H.264 (`RTCDefaultVideoEncoderFactory` in libwebrtc). */
const appleVideo: Codecs = [
  ...[`96 H264/90000 ${h264}640c1f`, "97 rtx/90000 apt=96", `98 H264/90000 ${h264}42e01f`, "99 rtx/90000 apt=98"],
  ...["100 VP8/90000", "101 rtx/90000 apt=100", "127 VP9/90000 profile-id=0", "103 rtx/90000 apt=127"],
  ...["104 red/90000", "105 rtx/90000 apt=104", "106 ulpfec/90000"],
];
const androidVideo: Codecs = [
  ...["96 VP8/90000", "97 rtx/90000 apt=96", "98 VP9/90000 profile-id=0", "99 rtx/90000 apt=98"],
  ...["39 AV1/90000 level-idx=5;profile=0;tier=0", "40 rtx/90000 apt=39", "104 red/90000", "105 rtx/90000 apt=104"],
];
/** Without permission for the microphone, browsers hide their addresses behind mDNS names. */
const mdnsCandidates = [
  "2767691339 1 udp 2113937151 6600adf4-67ac-4fea-9be1-4cca89468792.local 50995 typ host generation 0 network-cost 999",
  "1871798187 1 tcp 1518280447 6600adf4-67ac-4fea-9be1-4cca89468792.local 9 typ host tcptype active generation 0",
];

/**
 * Chromium with Pipecat's JavaScript client and its default media manager, which offers the screen, too
 * (`smallWebRTCTransport.ts` in https://github.com/pipecat-ai/pipecat-client-web-transports).
 */
export const chromiumScreen: string = libwebrtc({
  sections: ["microphone", "camera", "screen", "data"],
  videoCodecs: chromiumVideo,
  candidates: mdnsCandidates,
});

/** Safari with the same client: it prefers H.264. */
export const safariScreen: string = libwebrtc({
  sections: ["microphone", "camera", "screen", "data"],
  videoCodecs: appleVideo,
  candidates: mdnsCandidates,
});

/** Firefox 153 with the same client: candidates of its own in each section, but not in the one that exists in the bundle only. */
export const firefoxScreen: string = sdp(
  ["v=0", "o=mozilla...THIS_IS_SDPARTA-99.0 2903897561847978892 0 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=sendrecv"],
  [`a=fingerprint:${fingerprint}`, "a=group:BUNDLE 0 1 2 3", "a=ice-options:trickle", "a=msid-semantic:WMS *"],
  ["m=audio 9 UDP/TLS/RTP/SAVPF 109 9 0 8 101", "c=IN IP4 0.0.0.0", ...firefoxCandidates(42_438), "a=sendrecv"],
  ["a=end-of-candidates", "a=extmap:2/recvonly urn:ietf:params:rtp-hdrext:csrc-audio-level"],
  ["a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid", "a=extmap-allow-mixed"],
  ["a=fmtp:109 maxplaybackrate=48000;stereo=1;useinbandfec=1", "a=fmtp:101 0-15", ...firefoxIce("0")],
  ["a=msid:- {8d9f03a1}", "a=rtcp:45572 IN IP4 5de79c4f-a6e0-4a68-b4b3-dd13f11fc3be.local", "a=rtcp-mux"],
  ["a=rtpmap:109 opus/48000/2", "a=rtpmap:9 G722/8000/1", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000"],
  ["a=rtpmap:101 telephone-event/8000", "a=setup:actpass", "a=ssrc:2635479212 cname:{caller}"],
  ["m=video 9 UDP/TLS/RTP/SAVPF 120 124 99 100", "c=IN IP4 0.0.0.0", ...firefoxCandidates(35_536), "a=sendrecv"],
  ["a=end-of-candidates", ...firefoxVideo("1", 1_767_969_872)],
  ["m=video 0 UDP/TLS/RTP/SAVPF 120 124 99 100", "c=IN IP4 0.0.0.0", "a=bundle-only", "a=sendonly"],
  firefoxVideo("2", 3_881_369_304),
  ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", ...firefoxCandidates(51_726), "a=sendrecv"],
  ["a=end-of-candidates", ...firefoxIce("3"), "a=setup:actpass", "a=sctp-port:5000", "a=max-message-size:1073741823"],
);

/** Each address has one component for RTP and one for RTCP, and one for TCP. */
function firefoxCandidates(port: number): string[] {
  const name = "5de79c4f-a6e0-4a68-b4b3-dd13f11fc3be.local";
  return [
    `a=candidate:0 1 UDP 2122187007 ${name} ${port} typ host`,
    `a=candidate:2 1 TCP 2105458943 ${name} 9 typ host tcptype active`,
    `a=candidate:0 2 UDP 2122187006 ${name} ${port + 1} typ host`,
  ];
}

function firefoxIce(mid: string): string[] {
  return ["a=ice-pwd:252dc73eee257442176d571ee78e22e6", "a=ice-ufrag:ccb8b262", `a=mid:${mid}`];
}

function firefoxVideo(mid: string, ssrc: number): string[] {
  return [
    ...[
      "a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid",
      "a=extmap:6/recvonly urn:x:playout-delay",
      "a=extmap-allow-mixed",
    ],
    ...["a=fmtp:120 max-fs=12288;max-fr=60", "a=fmtp:124 apt=120", "a=fmtp:100 apt=99", ...firefoxIce(mid)],
    ...["a=msid:- {281152c2}", "a=rtcp-fb:120 nack pli", "a=rtcp-mux", "a=rtcp-rsize", "a=rtpmap:120 VP8/90000"],
    ...["a=rtpmap:124 rtx/90000", "a=rtpmap:99 AV1/90000", "a=rtpmap:100 rtx/90000", "a=setup:actpass"],
    ...[`a=ssrc:${ssrc} cname:{caller}`, `a=ssrc:${ssrc + 1} cname:{caller}`, `a=ssrc-group:FID ${ssrc} ${ssrc + 1}`],
  ];
}

/**
 * Pipecat's React Native client: it trickles, and its media manager can share the screen (`smallwebrtc/src/transport.ts` in
 * https://github.com/pipecat-ai/pipecat-client-react-native-transports).
 */
export const reactNative: string = libwebrtc({
  sections: ["microphone", "camera", "screen", "data"],
  videoCodecs: androidVideo,
});

/**
 * Pipecat's Android client: it trickles (`WebRTCClient.kt` in https://github.com/pipecat-ai/pipecat-client-android-transports,
 * with libwebrtc 134).
 */
export const android: string = libwebrtc({ sections: ["microphone", "camera", "data"], videoCodecs: androidVideo });

/**
 * Pipecat's iOS client: it trickles, and keeps only VP8 in its offer, but adds VP8 to the other payload types of the media line,
 * which loses its CR (`filterCodec` of `SmallWebRTCConnection.swift` in
 * https://github.com/pipecat-ai/pipecat-client-ios-small-webrtc, with libwebrtc 134).
 */
export const ios: string = libwebrtc({ sections: ["microphone", "camera", "data"], videoCodecs: appleVideo })
  .replace(/^(m=video .*)\r\n/m, "$1 100 101\n")
  .replaceAll(/^a=(rtpmap|rtcp-fb|fmtp):(9[6-9]|103|104|105|106|127) .*\r\n/gm, "");

const libdatachannelIce = ["a=setup:actpass", "a=ice-ufrag:5g8M", "a=ice-pwd:Pdam47M/vUQ+CYfXAHnTFF"];

/**
 * C++ programs with libdatachannel 0.24 (https://github.com/paullouisageneau/libdatachannel). Pipecat's own C++ client has a
 * transport for Daily only (https://github.com/pipecat-ai/pipecat-client-cxx-daily).
 */
export const libdatachannel: string = sdp(
  ["v=0", "o=rtc 2170694985 0 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE audio video 0"],
  ["a=group:LS audio video", "a=msid-semantic:WMS *", "a=ice-options:ice2,trickle", `a=fingerprint:${fingerprint}`],
  ["m=audio 44281 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 198.51.100.7", "a=mid:audio", "a=sendrecv"],
  ["a=ssrc:1 cname:cname", "a=ssrc:1 msid:stream track", "a=msid:stream track", "a=rtcp-mux"],
  [
    "a=rtpmap:111 opus/48000/2",
    "a=fmtp:111 minptime=10;maxaveragebitrate=96000;stereo=1;sprop-stereo=1;useinbandfec=1",
  ],
  libdatachannelIce,
  ["a=candidate:1 1 UDP 2114977791 198.51.100.7 44281 typ host", "a=end-of-candidates"],
  ["m=video 44281 UDP/TLS/RTP/SAVPF 96", "c=IN IP4 198.51.100.7", "a=mid:video", "a=sendrecv", "a=ssrc:2 cname:cname"],
  ["a=rtcp-mux", "a=rtpmap:96 VP8/90000", "a=rtcp-fb:96 nack pli", ...libdatachannelIce],
  ["m=application 44281 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 198.51.100.7", "a=mid:0", "a=sendrecv"],
  ["a=sctp-port:5000", "a=max-message-size:262144", ...libdatachannelIce],
);

/**
 * Python programs with aiortc 1.16 (https://github.com/aiortc/aiortc): three fingerprints of one certificate, and a port and
 * candidates of its own in each section.
 */
export const aiortc: string = sdp(
  [
    "v=0",
    "o=- 4004936875 4004936875 IN IP4 0.0.0.0",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0 1 2 3",
    "a=msid-semantic:WMS *",
  ],
  ["m=audio 54632 UDP/TLS/RTP/SAVPF 96 9 0 8", "c=IN IP4 198.51.100.7", "a=sendrecv"],
  ["a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid", "a=mid:0", "a=msid:13fff6e8 eb77a5c2", "a=rtcp:9 IN IP4 0.0.0.0"],
  ["a=rtcp-mux", "a=ssrc:3825077544 cname:cbb4128d", "a=rtpmap:96 opus/48000/2", "a=rtpmap:9 G722/8000"],
  ["a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000", ...aiortcTransport(54_632)],
  ...["1", "2"].map((mid) => [
    ...["m=video 55947 UDP/TLS/RTP/SAVPF 97 98 99 100", "c=IN IP4 198.51.100.7", "a=sendrecv", `a=mid:${mid}`],
    ...["a=extmap:1 urn:ietf:params:rtp-hdrext:sdes:mid", "a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp-mux"],
    ...[`a=ssrc-group:FID 200${mid} 300${mid}`, `a=ssrc:200${mid} cname:cbb4128d`, `a=ssrc:300${mid} cname:cbb4128d`],
    ...["a=rtpmap:97 VP8/90000", "a=rtcp-fb:97 nack pli", "a=rtpmap:98 rtx/90000", "a=fmtp:98 apt=97"],
    ...["a=rtpmap:99 H264/90000", "a=rtpmap:100 rtx/90000", "a=fmtp:100 apt=99", ...aiortcTransport(55_947)],
  ]),
  ["m=application 50835 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 198.51.100.7", "a=mid:3", "a=sctp-port:5000"],
  ["a=max-message-size:262144", ...aiortcTransport(50_835)],
);

function aiortcTransport(port: number): string[] {
  const digest = (bytes: number) => Array.from({ length: bytes }, () => "AB").join(":");
  return [
    `a=candidate:f957a2332b1715da3b0ef8ba684454eb 1 udp 2130706431 198.51.100.7 ${port} typ host`,
    ...["a=end-of-candidates", "a=ice-ufrag:vbIE", "a=ice-pwd:Nnb2tp3ZMB9vvgHySmCTYl", `a=fingerprint:${fingerprint}`],
    ...[`a=fingerprint:sha-384 ${digest(48)}`, `a=fingerprint:sha-512 ${digest(64)}`, "a=setup:actpass"],
  ];
}

/** Every offer, by the client's name in `docs/clients.md`. */
export const clientOffers: Readonly<Record<string, string>> = {
  "Chromium, audio and camera": chromium,
  "Chromium, audio, camera and screen": chromiumScreen,
  "Firefox, audio": firefox,
  "Firefox, audio, camera and screen": firefoxScreen,
  "Safari, audio": safari,
  "Safari, audio, camera and screen": safariScreen,
  "React Native": reactNative,
  Android: android,
  iOS: ios,
  "C++ with libdatachannel": libdatachannel,
  "Python with aiortc": aiortc,
  ESP32: esp32,
  WhatsApp: whatsapp,
  "audio alone": voiceAlone,
};

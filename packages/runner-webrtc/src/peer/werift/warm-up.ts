import type { Logger } from "@pipecat-ts/runner-core";
import { createPeer } from "../peer.ts";

/**
 * Answers a sample offer, so that the first call connects as fast as later ones: this loads werift, creates its certificate
 * and compiles its code. Leaves no socket or timer behind and never rejects; callers get the error that prevents answers.
 */
export async function warmUp(logger: Logger): Promise<void> {
  const ignore = (): void => undefined;
  const listener = { state: ignore, audio: ignore, video: ignore, loss: ignore, channel: ignore, text: ignore };
  const peer = createPeer({ iceServers: [], logger }, listener);
  try {
    await peer.answer(sampleOffer);
  } catch (err) {
    logger.debug({ err }, "webrtc warm-up failed");
  }
  await peer.close();
}

/** An offer as a browser sends it. */
const sampleOffer: string = [
  "v=0",
  "o=- 1 1 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "c=IN IP4 0.0.0.0",
  "a=mid:0",
  ...transportLines(),
  "a=sendrecv",
  "a=rtcp-mux",
  "a=rtpmap:111 opus/48000/2",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 0.0.0.0",
  "a=mid:1",
  ...transportLines(),
  "a=sctp-port:5000",
  "",
].join("\r\n");

function transportLines(): string[] {
  return [
    "a=ice-ufrag:none",
    "a=ice-pwd:nobodyhasthispassword1",
    `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "00").join(":")}`,
    "a=setup:actpass",
  ];
}

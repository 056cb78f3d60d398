import type { Logger } from "@pipecat-ts/runner-core";
import { createPeer } from "./peer.ts";

/**
 * Answers an offer that nobody made, so that the first caller's takes no longer than a later one's: the engine is loaded, its
 * certificate made, its code compiled. Leaves no socket or timer, and never rejects: what keeps a peer from answering here is
 * told to the callers.
 */
export async function warmUp(logger: Logger): Promise<void> {
  const nothing = (): void => undefined;
  const listener = { state: nothing, audio: nothing, loss: nothing, channel: nothing, text: nothing };
  const peer = createPeer({ iceServers: [], logger }, listener);
  try {
    await peer.answer(dryOffer);
  } catch (error) {
    logger.debug({ error }, "an offer made up to warm up was not answered");
  }
  await peer.close();
}

/** In a browser's shape. */
const dryOffer: string = [
  "v=0",
  "o=- 1 1 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "a=group:BUNDLE 0 1",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "c=IN IP4 0.0.0.0",
  "a=mid:0",
  ...transport(),
  "a=sendrecv",
  "a=rtcp-mux",
  "a=rtpmap:111 opus/48000/2",
  "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
  "c=IN IP4 0.0.0.0",
  "a=mid:1",
  ...transport(),
  "a=sctp-port:5000",
  "",
].join("\r\n");

function transport(): string[] {
  return [
    "a=ice-ufrag:none",
    "a=ice-pwd:nobodyhasthispassword1",
    `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "00").join(":")}`,
    "a=setup:actpass",
  ];
}

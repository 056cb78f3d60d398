import { createPlayout, type Playout, send } from "@pipecat-ts/runner-testing";
import { createPeerCaller, type PeerCaller } from "../peer/werift/test/peer-caller.ts";
import { loadOpus } from "../voice/opus.ts";
import { type DeviceAnswer, readDeviceAnswer } from "./device-parser.ts";

/** For tests: an ESP32 that calls in as Pipecat's client for it does. It sends no ping, no `client-ready`, no candidate. */
export interface Device {
  readonly peer: PeerCaller;
  readonly answer: DeviceAnswer;
  /** What it plays. */
  readonly playout: Playout;
  readonly sampleRate: number;
  /** Sends 20 ms of its microphone now. */
  speak(samples: Int16Array): void;
  /** Its power is cut. */
  drop(): Promise<void>;
}

const sampleRate = 16_000;
/** An answer is read into a buffer of so many bytes. */
const bodyBytes = 4_096;

/** Calls in, and resolves once media flows. Rejects where the device would restart. */
export async function callAsDevice(endpoint: URL): Promise<Device> {
  const peer = createPeerCaller({ channelLabel: "rtvi-ai", payloadType: 111 });
  const opus = await loadOpus();
  const [encoder, decoder] = [await opus.createEncoder({ sampleRate }), await opus.createDecoder({ sampleRate })];
  const playout = createPlayout();

  async function drop(): Promise<void> {
    peer.cut();
    playout.close();
    await peer.close();
    encoder.free();
    decoder.free();
  }

  try {
    const sdp = await ask(endpoint, deviceOffer(await peer.offer()));
    const answer = readDeviceAnswer(sdp);
    peer.onPacket(({ header, payload }) => {
      const samples = header.ssrc === answer.audioSsrc ? decoder.decode(payload) : undefined;
      if (samples) playout.enqueue({ samples, sampleRate, channels: 1 });
    });
    await peer.accept(engineAnswer(sdp));
    await peer.connected(10_000);
    const speak = (samples: Int16Array): void => peer.sendAudio(encoder.encode(samples));
    return { peer, answer, playout, sampleRate, speak, drop };
  } catch (error) {
    await drop();
    throw error;
  }
}

async function ask(endpoint: URL, sdp: string): Promise<string> {
  const { status, headers, text } = await send(endpoint, { method: "POST", body: { sdp, type: "offer" } });
  if (status !== 200) throw new Error(`status ${status}: ${text}`);
  if (headers["transfer-encoding"] !== undefined) throw new Error("a chunked answer restarts the device");
  if (!(Number(headers["content-length"]) < bodyBytes)) throw new Error(`${headers["content-length"]} bytes`);
  return (JSON.parse(text) as { readonly sdp: string }).sdp;
}

/** The engine's offer in the device's words: see `esp32` in `offers.ts`. */
function deviceOffer(offer: string): string {
  const line = (pattern: RegExp): string => offer.match(pattern)?.[0] ?? "";
  return `${[
    ...["v=0", "o=- 1495799811084970 1495799811084970 IN IP4 0.0.0.0", "s=-", "t=0 0", "a=msid-semantic: iot"],
    ...["a=group:BUNDLE audio datachannel", line(/a=fingerprint:sha-256 [\w:]+/), "a=setup:passive"],
    ...[line(/a=ice-ufrag:.+/), line(/a=ice-pwd:.+/)],
    ...["m=audio 9 UDP/TLS/RTP/SAVP 111", "c=IN IP4 0.0.0.0", "a=rtpmap:111 opus/48000/2"],
    ...[`${line(/a=ssrc:\d+/)} cname:webrtc-audio`, "a=mid:audio", "a=sendrecv", "a=rtcp-mux"],
    ...["m=application 50712 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:datachannel"],
    ...["a=sctp-port:5000", "a=max-message-size:262144"],
    ...(offer.match(/a=candidate:\S+ 1 udp \d+ [\d.]+ \d+ typ host/g) ?? []),
  ].join("\r\n")}\r\n`;
}

/** The answer in the engine's words. */
function engineAnswer(answer: string): string {
  return answer
    .replace("UDP/TLS/RTP/SAVP ", "UDP/TLS/RTP/SAVPF ")
    .replace("BUNDLE audio datachannel", "BUNDLE 0 1")
    .replace("a=mid:audio", "a=mid:0")
    .replace("a=mid:datachannel", "a=mid:1");
}

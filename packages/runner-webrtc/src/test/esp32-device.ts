import { createPlayout, type Playout, send } from "@pipecat-ts/runner-testing";
import { optionsOfShape } from "../peer/test/client-shape.ts";
import { esp32 } from "../peer/test/offers.ts";
import { createPeerCaller, type PeerCaller } from "../peer/werift/peer-caller.ts";
import { loadOpus } from "../voice/opus.ts";

/** For tests: an ESP32 device with Pipecat's client. It sends no ping, no `client-ready` and no candidates. */
export interface Device {
  readonly peer: PeerCaller;
  readonly answer: DeviceAnswer;
  /** What it plays. */
  readonly playout: Playout;
  readonly sampleRate: number;
  /** Sends 20 ms of its microphone now. */
  speak(samples: Int16Array): void;
  /** Cuts its power. */
  drop(): Promise<void>;
}

const sampleRate = 16_000;
/** The size of the buffer for an answer. */
const maxAnswerBytes = 4_096;

/** Connects, and resolves when media flows. Rejects when the device would restart. */
export async function callAsDevice(endpoint: URL): Promise<Device> {
  const peer = createPeerCaller({ ...optionsOfShape(esp32), channelLabel: "rtvi-ai" });
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
    const sdp = await postOffer(endpoint, await peer.offer());
    const answer = readDeviceAnswer(sdp);
    peer.onPacket(({ header, payload }) => {
      const samples = header.ssrc === answer.audioSsrc ? decoder.decode(payload) : undefined;
      if (samples) playout.enqueue({ samples, sampleRate, channels: 1 });
    });
    await peer.accept(sdp);
    await peer.connected(10_000);
    const speak = (samples: Int16Array): void => peer.sendAudio(encoder.encode(samples));
    return { peer, answer, playout, sampleRate, speak, drop };
  } catch (error) {
    await drop();
    throw error;
  }
}

async function postOffer(endpoint: URL, sdp: string): Promise<string> {
  const { status, headers, text } = await send(endpoint, { method: "POST", body: { sdp, type: "offer" } });
  if (status !== 200) throw new Error(`status ${status}: ${text}`);
  if (headers["transfer-encoding"] !== undefined) throw new Error("a chunked answer restarts the device");
  if (!(Number(headers["content-length"]) < maxAnswerBytes)) throw new Error(`${headers["content-length"]} bytes`);
  return (JSON.parse(text) as { readonly sdp: string }).sdp;
}

/** The parts of an answer that Pipecat's ESP32 client reads. */
export interface DeviceAnswer {
  readonly usernameFragment: string;
  readonly password: string;
  readonly fingerprint: string;
  /** The client drops packets of other sources. */
  readonly audioSsrc: number;
  readonly candidates: readonly DeviceCandidate[];
}

export interface DeviceCandidate {
  readonly foundation: string;
  readonly host: string;
  readonly port: number;
}

/** The size of the buffer for a line, which the client does not check. */
const maxLineBytes = 256;
const maxCandidates = 10;

/**
 * Parses an answer as the client does, and throws where the client would misread it. Source: `peer_connection.c`, `agent.c` and
 * `ice.c` of libpeer (https://github.com/sepfy/libpeer).
 */
export function readDeviceAnswer(sdp: string): DeviceAnswer {
  const lines = sdp.split("\r\n");
  if (lines.pop() !== "") throw new Error("the last line does not end with CRLF, so that the device ignores it");
  let section = "";
  let audioSsrc: number | undefined;
  const found = new Map<string, string>();
  const candidates: DeviceCandidate[] = [];
  for (const line of lines) {
    if (/[\r\n]/.test(line)) throw new Error(`a line does not end with CRLF: ${line}`);
    if (line.length >= maxLineBytes) throw new Error(`a line overflows the device's buffer: ${line}`);
    if (line.startsWith("m=")) section = line;
    // Each value replaces the one before.
    if (line.includes("a=fingerprint")) found.set("fingerprint", line.slice(22));
    for (const name of ["setup", "ice-ufrag", "ice-pwd"])
      if (line.startsWith(`a=${name}:`)) found.set(name, line.slice(name.length + 3));
    if (line.startsWith("a=ssrc:") && section.startsWith("m=audio")) audioSsrc = Number.parseInt(line.slice(7), 10);
    if (line.startsWith("a=candidate:")) {
      const candidate = readCandidate(line);
      if (!candidates.some(({ foundation }) => foundation === candidate.foundation)) candidates.push(candidate);
    }
    if (line.startsWith("m=audio") && !/ 111$/.test(line)) throw new Error(`the payload type is not 111: ${line}`);
  }
  if (!/^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/.test(found.get("fingerprint") ?? ""))
    throw new Error(`the fingerprint is not SHA-256: ${found.get("fingerprint")}`);
  // The device offers "passive" and cannot be the DTLS client.
  if (found.get("setup") !== "active") throw new Error(`neither side would start DTLS: setup is ${found.get("setup")}`);
  if (audioSsrc === undefined) throw new Error("the audio has no SSRC");
  if (candidates.length === 0 || candidates.length > maxCandidates)
    throw new Error(`${candidates.length} candidates are not between 1 and ${maxCandidates}`);
  return {
    usernameFragment: found.get("ice-ufrag") ?? "",
    password: found.get("ice-pwd") ?? "",
    fingerprint: found.get("fingerprint") ?? "",
    audioSsrc,
    candidates,
  };
}

function readCandidate(line: string): DeviceCandidate {
  const [foundation = "", component, transport = "", , host = "", port, , type] = line.slice(12).split(" ");
  const isSupported = component === "1" && /udp/i.test(transport) && /^\d+(\.\d+){3}$/.test(host) && type === "host";
  if (!isSupported) throw new Error(`the device cannot use this candidate: ${line}`);
  return { foundation, host, port: Number(port) };
}

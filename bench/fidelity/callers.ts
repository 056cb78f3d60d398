/** Callers, in a child process: each says the same speech to an echo bot in real time, and returns what it hears. */
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { type AudioFrame, decodeMulaw, decodePcm16, encodeMulaw, encodePcm16 } from "@pipecat-ts/audio";
import { cut } from "@pipecat-ts/runner-testing";
import { WebSocket } from "ws";
import { loadOpus } from "../../packages/runner-webrtc/src/voice/opus.ts";
import { createDecoder, encodeAudio } from "../../packages/runner-websocket/src/codec.ts";
import { answerParent } from "../children.ts";
import { degradeNetwork, dial } from "../webrtc/dial.ts";
import { generateSpeech } from "./speech.ts";

/** A call, its network, and the rates of its audio in Hz. */
export interface FidelityCall {
  readonly wire: "twilio" | "websocket" | "webrtc";
  readonly url: string;
  /** Sample rate of what the caller says. */
  readonly sampleRate: number;
  /** Frames of the caller are late by up to this, in ms. Default 0. */
  readonly jitterMs?: number;
  /** Share of the caller's packets that are lost, in %; WebRTC only. Default 0. */
  readonly lossPercent?: number;
}

/** What one caller heard: base64 of 16-bit samples at `sampleRate`. */
export interface Heard {
  readonly audio: string;
  readonly sampleRate: number;
}

const frameMs = 20;
/** Silence before the speech, until the bot has started, and after it, until all of it has returned. */
const beforeMs = 2_000;
const afterMs = 1_500;

/** The speech with silence around it, in frames of 20 ms. Takes some 100 ms, so call it before the caller connects. */
function prepareSpeech(sampleRate: number): AudioFrame[] {
  const speech = generateSpeech(sampleRate);
  const silence = (ms: number) => new Int16Array((ms * sampleRate) / 1000);
  const samples = Int16Array.from([...silence(beforeMs), ...speech, ...silence(afterMs)]);
  return cut({ samples, sampleRate, channels: 1 });
}

/** Says `frames`: frame `n` at `n × 20` ms, and up to `jitterMs` later. Frames stay in order. */
async function say(
  frames: readonly AudioFrame[],
  jitterMs: number,
  send: (samples: Int16Array, index: number) => void,
): Promise<void> {
  const start = performance.now();
  for (const [index, frame] of frames.entries()) {
    const dueMs = start + index * frameMs + Math.random() * jitterMs;
    await pause(Math.max(0, dueMs - performance.now()));
    send(frame.samples, index);
  }
}

async function callTwilio(
  frames: readonly AudioFrame[],
  { url, sampleRate, jitterMs = 0 }: FidelityCall,
  caller: number,
): Promise<Heard> {
  const socket = new WebSocket(url);
  const id = String(caller).padStart(32, "0");
  const streamSid = `MZ${id}`;
  const pieces: Uint8Array[] = [];
  socket.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString());
    if (message.event === "media") pieces.push(Buffer.from(message.media.payload, "base64"));
    else if (message.event === "mark") socket.send(data);
  });
  await once(socket, "open");
  const mediaFormat = { encoding: "audio/x-mulaw", sampleRate };
  const start = { streamSid, callSid: `CA${id}`, mediaFormat };
  socket.send(JSON.stringify({ event: "start", streamSid, start }));
  await say(frames, jitterMs, (samples, index) => {
    const payload = Buffer.from(encodeMulaw(samples)).toString("base64");
    const media = { track: "inbound", chunk: String(index + 1), timestamp: String(index * frameMs), payload };
    socket.send(JSON.stringify({ event: "media", sequenceNumber: String(index + 2), streamSid, media }));
  });
  socket.close();
  return heard(decodeMulaw(Buffer.concat(pieces)), sampleRate);
}

async function callWebSocket(
  frames: readonly AudioFrame[],
  { url, sampleRate, jitterMs = 0 }: FidelityCall,
): Promise<Heard> {
  const socket = new WebSocket(url);
  const decoder = createDecoder(() => undefined);
  const pieces: Uint8Array[] = [];
  let heardRate = 0;
  socket.on("message", (data: Buffer, isBinary: boolean) => {
    const frame = decoder.decode(data, isBinary);
    if (frame?.kind !== "audio") return;
    heardRate = frame.audio.sampleRate;
    pieces.push(encodePcm16(frame.audio.samples));
  });
  await once(socket, "open");
  await say(frames, jitterMs, (samples) => socket.send(encodeAudio({ samples, sampleRate, channels: 1 })));
  socket.close();
  return heard(decodePcm16(Buffer.concat(pieces)), heardRate);
}

/** Opus as aiortc sends it: 96 kb/s, without FEC. */
const callerOpus = { bitrate: 96_000, complexity: 10 } as const;

async function callWebRTC(
  frames: readonly AudioFrame[],
  { url, jitterMs = 0, lossPercent = 0 }: FidelityCall,
): Promise<Heard> {
  const sampleRate = 48_000;
  const opus = await loadOpus();
  const encoder = await opus.createEncoder({ sampleRate, ...callerOpus });
  const decoder = await opus.createDecoder({ sampleRate });
  const pieces: Uint8Array[] = [];
  const { peer, hangUp } = await dial(url, ({ payload }) =>
    pieces.push(encodePcm16(decoder.decode(payload) ?? new Int16Array(960))),
  );
  degradeNetwork(peer, { jitterMs, lossPercent });
  await say(frames, 0, (samples) => peer.sendAudio(encoder.encode(samples)));
  await hangUp();
  encoder.free();
  decoder.free();
  return heard(decodePcm16(Buffer.concat(pieces)), sampleRate);
}

function heard(samples: Int16Array, sampleRate: number): Heard {
  return { audio: Buffer.from(encodePcm16(samples)).toString("base64"), sampleRate };
}

const calls = { twilio: callTwilio, websocket: callWebSocket, webrtc: callWebRTC };

answerParent(async ({ ask, count, ...question }) => {
  if (ask !== "call") return undefined;
  const call = question as unknown as FidelityCall;
  const frames = prepareSpeech(call.sampleRate);
  return await Promise.all(
    Array.from({ length: Number(count) }, (_, caller) => calls[call.wire](frames, call, caller)),
  );
});

import { once } from "node:events";
import { type AudioFrame, createChunker, createResampler, encodeWav, parseWav } from "@pipecat-ts/audio";
import { WebSocket } from "ws";
import type { FakeCaller } from "./adapter.ts";
import type { CallFacts, FarEnd, PhoneDialect } from "./phone-dialect.ts";
import { createNetwork, type NetworkOptions } from "./phone-network.ts";
import { join, silence } from "./signal.ts";
import { createSpeaker } from "./speaker.ts";
import { say } from "./speech.ts";

/** How a call is placed. */
export interface CallOptions {
  /** Where the runner is. */
  readonly at: URL;
  /** By which URL the carrier knows it, and signs. Default: `at`. */
  readonly publicUrl?: URL;
  /** The webhook's path. Default: `/` and the carrier's name. */
  readonly path?: string;
  /** The socket's URL, for a call that begins without a webhook. */
  readonly socketUrl?: string;
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly network?: NetworkOptions;
}

/** One phone call, at the caller's end. */
export interface PhoneCall extends FakeCaller {
  readonly callId: string;
  readonly streamId: string;
  /** Every message that the runner sent, with when it came on the scale of `performance.now()`. */
  readonly received: readonly { readonly atMs: number; readonly message: Readonly<Record<string, unknown>> }[];
  /** What the runner had the carrier dial. */
  readonly dialled: readonly string[];
  /** What the real carrier would not have taken. Empty when all is well. */
  readonly complaints: readonly string[];
  /** Says it in real time, a WAV file too, at whatever rate; resolves when it is said. */
  say(audio: AudioFrame | Uint8Array): Promise<void>;
  press(digit: string): void;
  /** Sends any text or bytes. */
  send(message: string | Uint8Array): void;
  /** Puts the phone down. With `stop: false` the carrier says nothing of it, only the socket closes. */
  hangUp(options?: { readonly stop?: boolean }): Promise<void>;
  /** What the caller has heard, as it sounded, silence included: a WAV file, and when it begins. */
  recording(): { readonly wav: Uint8Array; readonly beginsAtMs: number };
  /** How the socket was closed. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Opens the socket of a call and takes its phone off the hook. Rejects, with nothing left open, when it is refused. */
export async function openCall(
  dialect: PhoneDialect,
  facts: CallFacts,
  url: URL,
  headers: Readonly<Record<string, string>>,
  options: Pick<CallOptions, "network">,
): Promise<PhoneCall> {
  const socket = new WebSocket(url, { headers });
  await opened(socket);
  return createCall(dialect.createFarEnd(facts), facts, socket, options.network);
}

function createCall(far: FarEnd, facts: CallFacts, socket: WebSocket, conditions: NetworkOptions = {}): PhoneCall {
  const speaker = createSpeaker();
  const network = createNetwork(conditions);
  const chunker = createChunker(Math.round((far.sampleRate * far.frameMs) / 1000));
  const received: { atMs: number; message: Readonly<Record<string, unknown>> }[] = [];
  const complaints: string[] = [];
  const dialled: string[] = [];

  function send(message: object): void {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  }

  function hear(text: string): void {
    const message = JSON.parse(text) as Readonly<Record<string, unknown>>;
    received.push({ atMs: performance.now(), message });
    const { audio, mark, clear, digits, complaint, reply } = far.recognise(message);
    if (audio) speaker.play({ ...audio, channels: 1 });
    if (mark !== undefined) speaker.whenPlayed(() => network.message(() => send(far.played(mark))));
    if (clear) {
      speaker.clear();
      const cleared = far.cleared?.();
      if (cleared) send(cleared);
    }
    if (digits !== undefined) dialled.push(digits);
    if (complaint !== undefined) complaints.push(complaint);
    if (reply) send(reply);
  }

  socket.on("error", () => socket.terminate());
  socket.on("message", (data) => network.message(() => hear(String(data))));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once("close", (code, reason) => {
      network.close();
      speaker.close();
      resolve({ code, reason: String(reason) });
    });
  });
  for (const message of far.announce()) send(message);

  const call: PhoneCall = {
    callId: facts.callId,
    streamId: facts.streamId,
    sampleRate: far.sampleRate,
    speaker,
    received,
    dialled,
    complaints,
    closed,
    speak({ samples }) {
      for (const chunk of chunker.push(samples)) {
        const message = far.audio(chunk);
        network.audio(() => send(message));
      }
    },
    async say(audio) {
      await say(call, atRate(audio instanceof Uint8Array ? parseWav(audio) : audio, far.sampleRate));
    },
    press: (digit) => network.message(() => send(far.digit(digit))),
    send(message) {
      if (socket.readyState === socket.OPEN) socket.send(message);
    },
    async hangUp({ stop = true } = {}) {
      const last = stop ? far.stop?.() : undefined;
      if (last) send(last);
      socket.close(1000);
      await closed;
    },
    drop: () => socket.terminate(),
    recording() {
      const heard = speaker.heard();
      const beginsAtMs = heard[0]?.atMs ?? performance.now();
      return { wav: encodeWav(asItSounded(heard)), beginsAtMs };
    },
  };
  return call;
}

function atRate(audio: AudioFrame, sampleRate: number): AudioFrame {
  if (audio.sampleRate === sampleRate) return audio;
  const resampler = createResampler({ fromRate: audio.sampleRate, toRate: sampleRate });
  const frame = (samples: Int16Array): AudioFrame => ({ samples, sampleRate, channels: 1 });
  return join([frame(resampler.process(audio.samples)), frame(resampler.flush())]);
}

/** The frames with the silence between them. */
function asItSounded(heard: readonly { readonly frame: AudioFrame; readonly atMs: number }[]): AudioFrame {
  const parts: AudioFrame[] = [];
  let endMs = heard[0]?.atMs ?? 0;
  for (const { frame, atMs } of heard) {
    const { sampleRate } = frame;
    const pauseMs = Math.max(0, atMs - endMs);
    if (pauseMs >= 1) parts.push(silence({ durationMs: pauseMs, sampleRate }));
    parts.push(frame);
    endMs = Math.max(endMs, atMs) + (frame.samples.length / sampleRate) * 1000;
  }
  return join(parts);
}

async function opened(socket: WebSocket): Promise<void> {
  socket.once("unexpected-response", async (request, response) => {
    const body = await response.setEncoding("utf8").toArray();
    request.destroy();
    socket.emit("error", new Error(`${response.statusCode} ${body.join("")}`));
  });
  await once(socket, "open");
}

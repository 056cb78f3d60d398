import { type AudioFrame, createChunker, encodeWav, join, parseWav, resample, silence } from "@pipecat-ts/audio";
import {
  type CallEnd,
  type Caller,
  createPlayout,
  opened,
  type PlayedFrame,
  speak,
} from "@pipecat-ts/runner-core/caller";
import { WebSocket } from "ws";

/** How a call is placed. */
export interface CallOptions {
  /** The address of the runner. */
  readonly at: URL;
  /** The runner's public URL, which the carrier requests and signs. Default: `at`. */
  readonly publicUrl?: URL;
  /** The path of the webhook. Default: `/{carrier}`. */
  readonly path?: string;
  /** The socket URL of a call without a webhook. */
  readonly socketUrl?: string;
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly network?: NetworkOptions;
  /** Whether the call keeps the messages of the runner in `received`. Default true. */
  readonly records?: boolean;
}

/** Impairments of the caller's network. */
export interface NetworkOptions {
  /** One-way delay in both directions, in ms. Default 0. */
  readonly delayMs?: number;
  /** Drops every n-th audio message. Default: none. */
  readonly dropEvery?: number;
  /** Sends every n-th audio message after the one that follows it. Default: none. */
  readonly swapEvery?: number;
}

/** One phone call, from the caller's side. */
export interface PhoneCall extends Caller {
  readonly callId: string;
  readonly streamId: string;
  /** Every message from the runner that is well-formed, and when it arrived, on the scale of `performance.now()`, in ms. */
  readonly received: readonly { readonly atMs: number; readonly message: Readonly<Record<string, unknown>> }[];
  /** The digits that the runner asked the carrier to dial. */
  readonly dialed: readonly string[];
  /** Messages that the real carrier would reject, as reasons. */
  readonly protocolErrors: readonly string[];
  /** Speaks audio, or a WAV file, of any rate in real time. Resolves when all of it is sent. */
  speak(audio: AudioFrame | Uint8Array): Promise<void>;
  press(digit: string): void;
  /** Sends text or bytes unchanged. */
  sendRaw(message: string | Uint8Array): void;
  /** Hangs up. With `stop: false` the carrier sends no last message: only the socket closes. */
  hangUp(options?: { readonly stop?: boolean }): Promise<void>;
  /** What the caller has heard, with the silence between frames, as a WAV file, and when it begins. */
  recording(): { readonly wav: Uint8Array; readonly beginsAtMs: number };
  /** How the socket was closed. */
  readonly closed: Promise<CallEnd>;
}

/** What a carrier knows about a call before it is answered. */
export interface CallFacts {
  readonly callId: string;
  readonly streamId: string;
  readonly from: string;
  readonly to: string;
  /** The webhook's reply; empty without one. */
  readonly document: string;
}

/** The carrier's side of one media stream. Its methods return messages to send, with the carrier's own counters and timestamps. */
export interface FarEnd {
  /** Sample rate of the caller's audio on the wire, in Hz. */
  readonly sampleRate: number;
  /** Duration of the audio in one message, in ms. */
  readonly frameMs: number;
  announce(): object[];
  /** An object is sent as JSON, bytes as a binary message. */
  audio(samples: Int16Array): object | Uint8Array;
  digit(digit: string): object;
  played(mark: string): object;
  /** The message that confirms a clear, beside the pending marks. */
  cleared?(): object;
  /** The message at the end of the call, if there is one. */
  stop?(): object;
  /** What a message from the runner asks for. */
  parse(message: Readonly<Record<string, unknown>>): RunnerMessage;
  /** What a binary message from the runner asks for. Without it, the carrier rejects them. */
  parseBinary?(bytes: Buffer): RunnerMessage;
  /** Frees what it holds, when the socket is closed. */
  close?(): void;
}

/** What a message from the runner asks the carrier to do. */
export interface RunnerMessage {
  /** The bot's audio. */
  readonly audio?: { readonly samples: Int16Array; readonly sampleRate: number };
  readonly mark?: string;
  readonly clear?: boolean;
  readonly digits?: string;
  /** Why the real carrier would reject the message. */
  readonly protocolError?: string;
  /** The carrier's answer to the message. */
  readonly reply?: object;
}

/** Opens the socket of a call and announces it. Rejects, with nothing left open, when the upgrade is refused. */
export async function openCall(
  farEnd: FarEnd,
  facts: CallFacts,
  url: URL,
  headers: Readonly<Record<string, string>>,
  { network: networkOptions = {}, records = true }: Pick<CallOptions, "network" | "records"> = {},
): Promise<PhoneCall> {
  const socket = new WebSocket(url, { headers });
  const playout = createPlayout();
  const network = createNetwork(networkOptions);
  const chunker = createChunker(Math.round((farEnd.sampleRate * farEnd.frameMs) / 1000));
  const received: { atMs: number; message: Readonly<Record<string, unknown>> }[] = [];
  const protocolErrors: string[] = [];
  const dialed: string[] = [];

  function send(message: object | Uint8Array): void {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
  }

  function receiveBinary(bytes: Buffer): void {
    follow(farEnd.parseBinary?.(bytes) ?? { protocolError: "the message is binary" });
  }

  function receive(text: string): void {
    let asked: RunnerMessage;
    try {
      const message = JSON.parse(text) as Readonly<Record<string, unknown>>;
      asked = farEnd.parse(message);
      if (records) received.push({ atMs: performance.now(), message });
    } catch (error) {
      protocolErrors.push(`malformed message: ${(error as Error).message}`);
      return;
    }
    follow(asked);
  }

  function follow({ audio, mark, clear, digits, protocolError, reply }: RunnerMessage): void {
    if (audio) playout.enqueue({ ...audio, channels: 1 });
    if (mark !== undefined) playout.whenPlayed(() => network.message(() => send(farEnd.played(mark))));
    if (clear) {
      playout.clear();
      const cleared = farEnd.cleared?.();
      if (cleared) send(cleared);
    }
    if (digits !== undefined) dialed.push(digits);
    if (protocolError !== undefined) protocolErrors.push(protocolError);
    if (reply) send(reply);
  }

  socket.on("error", () => socket.terminate());
  socket.on("message", (data, isBinary) => {
    network.message(() => (isBinary ? receiveBinary(data as Buffer) : receive(String(data))));
  });
  const closed = new Promise<CallEnd>((resolve) => {
    socket.once("close", (code, reason) => {
      network.close();
      playout.close();
      farEnd.close?.();
      resolve({ code, reason: String(reason) });
    });
  });
  await opened(socket);
  for (const message of farEnd.announce()) send(message);

  const call: PhoneCall = {
    callId: facts.callId,
    streamId: facts.streamId,
    sampleRate: farEnd.sampleRate,
    playout,
    received,
    dialed,
    protocolErrors,
    closed,
    sendAudio({ samples }) {
      for (const chunk of chunker.push(samples)) {
        const message = farEnd.audio(chunk);
        network.audio(() => send(message));
      }
    },
    async speak(audio) {
      await speak(call, resample(audio instanceof Uint8Array ? parseWav(audio) : audio, farEnd.sampleRate));
    },
    press: (digit) => network.message(() => send(farEnd.digit(digit))),
    sendRaw(message) {
      if (socket.readyState === socket.OPEN) socket.send(message);
    },
    async hangUp({ stop = true } = {}) {
      const last = stop ? farEnd.stop?.() : undefined;
      if (last) send(last);
      socket.close(1000);
      await closed;
    },
    drop: () => socket.terminate(),
    recording() {
      const played = playout.played();
      return { wav: encodeWav(withPauses(played)), beginsAtMs: played[0]?.atMs ?? performance.now() };
    },
  };
  return call;
}

function createNetwork({ delayMs = 0, dropEvery = 0, swapEvery = 0 }: NetworkOptions) {
  const inFlight = new Set<NodeJS.Timeout>();
  let count = 0;
  let held: (() => void) | undefined;

  function message(deliver: () => void): void {
    if (delayMs === 0) return void deliver();
    const timer = setTimeout(() => {
      inFlight.delete(timer);
      deliver();
    }, delayMs);
    inFlight.add(timer);
  }

  return {
    /** Delivers any message but audio, in either direction. */
    message,
    /** Delivers an audio message, unless it is dropped or held back. */
    audio(deliver: () => void): void {
      count += 1;
      if (dropEvery > 0 && count % dropEvery === 0) return;
      if (swapEvery > 0 && count % swapEvery === 0) {
        held = deliver;
        return;
      }
      message(deliver);
      if (held) message(held);
      held = undefined;
    },
    close(): void {
      for (const timer of inFlight) clearTimeout(timer);
      inFlight.clear();
      held = undefined;
    },
  };
}

/** Joins the frames, with silence where nothing was played. */
function withPauses(played: readonly PlayedFrame[]): AudioFrame {
  const parts: AudioFrame[] = [];
  let endMs = played[0]?.atMs ?? 0;
  for (const { frame, atMs } of played) {
    const { sampleRate } = frame;
    const pauseMs = Math.max(0, atMs - endMs);
    if (pauseMs >= 1) parts.push(silence({ durationMs: pauseMs, sampleRate }));
    parts.push(frame);
    endMs = Math.max(endMs, atMs) + (frame.samples.length / sampleRate) * 1000;
  }
  return join(parts);
}

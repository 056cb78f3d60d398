import { type AudioFrame, decodePcm16 } from "@pipecat-ts/audio";
import { RunnerError } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";
import { redactPhoneNumbers } from "./api.ts";
import type { DailyCallListener, DailyEvent } from "./client.ts";
import type { SdkFailure } from "./daily-js.ts";

/** A request to the page. It is sent with an `id`, which the page's answer repeats. */
export interface PageRequest {
  readonly command: "join" | "call" | "leave";
  readonly [argument: string]: unknown;
}

/** A command to the page that has no answer. `events`: send the buffered events now, and later ones at once. */
export type PageCommand =
  | { readonly command: "clear" | "events" }
  | { readonly command: "mark"; readonly mark: string };

/** A text message from the page. */
type PageMessage =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: SdkFailure }
  | { readonly event: "daily"; readonly detail: DailyEvent }
  | { readonly event: "played"; readonly mark: string }
  | { readonly event: "source"; readonly number: number; readonly participant: string; readonly track: string }
  | { readonly event: "source"; readonly number: number; readonly ended: true };

/** The WebSocket to the page in the browser: JSON text messages, and PCM16 audio as binary messages. */
export interface PageLink {
  /** Rejects with DAILY_CALL_FAILED, whose cause is the `SdkFailure`, and with the error of `end`. */
  request(request: PageRequest): Promise<unknown>;
  send(command: PageCommand): void;
  /** Mono, at the sample rate of the `join` request. */
  sendAudio(samples: Int16Array): void;
  readonly bufferedBytes: number;
  /** Stops calling the listener. */
  mute(): void;
  /** Rejects all pending and future requests, because the page is gone. */
  end(error: RunnerError): void;
}

interface PendingRequest {
  resolve(result: unknown): void;
  reject(error: RunnerError): void;
}

export function createPageLink(socket: WebSocket, listener: Omit<DailyCallListener, "joined">): PageLink {
  const pending = new Map<number, PendingRequest>();
  const sources = new Map<number, { readonly participant: string; readonly track: string }>();
  let lastId = 0;
  let muted = false;
  let ended: RunnerError | undefined;

  function receive(text: string): void {
    const message = parseMessage(text);
    if (message === undefined) return;
    if ("id" in message) settle(message.id, message);
    else if (message.event === "source") {
      if ("ended" in message) sources.delete(message.number);
      else sources.set(message.number, message);
    } else if (muted) return;
    else if (message.event === "played") listener.played(message.mark);
    else listener.event(message.detail);
  }

  function settle(id: number, answer: { readonly result: unknown } | { readonly error: SdkFailure }): void {
    const request = pending.get(id);
    pending.delete(id);
    if ("error" in answer) request?.reject(callFailed(answer.error));
    else request?.resolve(answer.result);
  }

  socket.on("message", (data, isBinary) => {
    if (!isBinary) return receive(String(data));
    const audio = parseAudio(data as Buffer);
    const source = audio && sources.get(audio.number);
    if (source && !muted) listener.audio(source.participant, source.track, audio.frame);
  });
  // A `close` event follows.
  socket.on("error", () => undefined);

  const send = (message: object) => socket.send(JSON.stringify(message));
  return {
    request(request) {
      lastId += 1;
      const id = lastId;
      return new Promise((resolve, reject) => {
        if (ended) return reject(ended);
        pending.set(id, { resolve, reject });
        send({ ...request, id });
      });
    },
    send,
    sendAudio: ({ buffer, byteOffset, byteLength }) => socket.send(new Uint8Array(buffer, byteOffset, byteLength)),
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    mute() {
      muted = true;
    },
    end(error) {
      ended ??= error;
      for (const { reject } of pending.values()) reject(ended);
      pending.clear();
    },
  };
}

function callFailed({ message, ...failure }: SdkFailure): RunnerError {
  const cause: SdkFailure = { ...failure, message: redactPhoneNumbers(message) };
  const text = cause.type === undefined ? cause.message : `${cause.type}: ${cause.message}`;
  return new RunnerError("DAILY_CALL_FAILED", `Daily refused: ${text}`, { status: 502, cause });
}

/** Parses a text message of the page; `undefined` when it is not JSON. */
export function parseMessage(text: string): PageMessage | undefined {
  try {
    return JSON.parse(text) as PageMessage;
  } catch {
    return undefined; // The page is ours and sends only JSON. A bug in it must not end the process.
  }
}

/** Audio of one source. */
interface PageAudio {
  /** The `number` of a `source` message. */
  readonly number: number;
  readonly frame: AudioFrame;
}

/**
 * Parses a binary message of the page: the source's number and the sample rate (4 bytes each), then PCM16, all
 * little-endian. Returns `undefined` for other bytes. Copies the samples.
 */
export function parseAudio(data: Buffer): PageAudio | undefined {
  if (data.length < 10 || data.length % 2 !== 0) return undefined;
  const sampleRate = data.readUInt32LE(4);
  if (sampleRate < 8_000 || sampleRate > 192_000) return undefined;
  return { number: data.readUInt32LE(0), frame: { samples: decodePcm16(data.subarray(8)), sampleRate, channels: 1 } };
}

import { type CloseReason, RunnerError } from "@pipecat-ts/runner-core";
import type { Clock, MediaPort } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import { encodeAudio, encodeInterruption, encodeMessage } from "./codec.ts";

/** What a WebSocket port is set to. */
export interface WebSocketPortOptions {
  /** Rate in Hz of the audio it sends. */
  readonly sampleRate: number;
  readonly clock: Clock;
}

/** The largest message in bytes that either side takes. */
export const maxMessageBytes: number = 1024 * 1024;

/** A caller for whom more than this waits has stopped reading. */
const maxWaitingBytes = 4 * maxMessageBytes;

/** A caller that does not answer the closing of its socket is cut off after this, well before a runner stops waiting. */
const closeTimeoutMs = 1_000;

const closeCodes: Partial<Record<CloseReason, number>> = {
  "bot-failed": 1011,
  "bot-stuck": 1011,
  "transport-failed": 1011,
  shutdown: 1001,
};

/**
 * One call over an open WebSocket. Pipecat's client cannot drop audio that it has received, so none is sent ahead of its
 * time: an interruption costs the caller no more than the frame under way.
 */
export function createWebSocketPort(socket: WebSocket, { sampleRate, clock }: WebSocketPortOptions): MediaPort {
  return {
    sampleRates: [sampleRate],
    frameMs: 40,
    send: (frame) => socket.send(encodeAudio(frame)),
    clear: () => socket.send(encodeInterruption()),
    sendMessage: async (message) => sendBytes(socket, encodeMessage(message)),
    bufferedBytes: () => socket.bufferedAmount,
    close: (reason) => closeSocket(socket, reason, clock),
  };
}

/** Closes a socket and says why, by force when the caller does not answer; resolves, never rejects, when it is closed. */
export function closeSocket(socket: WebSocket, reason: CloseReason, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) return resolve();
    const cancel = clock.after(closeTimeoutMs, () => socket.terminate());
    socket.once("close", () => {
      cancel();
      resolve();
    });
    socket.close(closeCodes[reason] ?? 1000, reason);
  });
}

/** Resolves when the system has taken the bytes, so that who awaits it sends no faster than the caller reads. */
function sendBytes(socket: WebSocket, bytes: Uint8Array): Promise<void> {
  if (bytes.byteLength > maxMessageBytes) {
    throw new RunnerError("MESSAGE_TOO_LARGE", `The message has ${bytes.byteLength} bytes; ${maxMessageBytes} fit.`, {
      fix: "Send it in parts, or send a URL where the caller can fetch it.",
    });
  }
  if (socket.bufferedAmount > maxWaitingBytes) {
    throw new RunnerError("CALLER_NOT_READING", `${socket.bufferedAmount} bytes wait for the caller to read them.`, {
      fix: "Await each sendMessage before the next, and send less.",
    });
  }
  return new Promise((resolve, reject) => {
    socket.send(bytes, (cause) => {
      if (!cause) return resolve();
      reject(new RunnerError("CALL_ENDED", "The message was not sent: the caller is gone.", { cause }));
    });
  });
}

import { type CallerSocket, type CloseReason, RunnerError } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";
import type { SocketTap } from "./wire.ts";

/** Send buffer above which a caller counts as not reading, in bytes. */
const maxBuffered = 4 * 1024 * 1024;
/** How long a caller may take to answer the closing handshake, in ms. */
const closeMs = 1_000;

/** RFC 6455 section 7.4. Reasons without an entry close with 1000. */
const closeCodes: Partial<Record<CloseReason, number>> = {
  "bot-failed": 1011,
  "bot-stuck": 1011,
  "transport-failed": 1011,
  "rate-exceeded": 1008,
  shutdown: 1001,
};

/** A caller's open WebSocket, for its transport. `reject` implements `CallerSocket.reject`. */
export function createCallerSocket(
  socket: WebSocket,
  maxPayload: number,
  reject: (error: unknown) => void,
  tap: SocketTap | undefined,
): CallerSocket {
  return {
    raw: socket,
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    send(data) {
      if (socket.readyState !== socket.OPEN) return;
      tap?.sent(data);
      socket.send(data);
    },
    async write(data) {
      const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
      if (bytes > maxPayload) {
        throw new RunnerError("MESSAGE_TOO_LARGE", `The message has ${bytes} bytes; the limit is ${maxPayload}.`, {
          fix: "Send it in parts, or send a URL from which the caller can fetch it.",
        });
      }
      if (socket.readyState !== socket.OPEN) throw callEnded();
      if (socket.bufferedAmount > maxBuffered) {
        throw new RunnerError("CALLER_NOT_READING", `${socket.bufferedAmount} bytes are waiting for the caller.`, {
          fix: "Await each sendMessage before the next, and send less.",
        });
      }
      tap?.sent(data);
      await new Promise<void>((resolve, unsent) => {
        socket.send(data, (cause) => (cause ? unsent(callEnded(cause)) : resolve()));
      });
    },
    close(reason, deadline, code = closeCodes[reason] ?? 1000) {
      return new Promise((resolve) => {
        if (socket.readyState === socket.CLOSED) return resolve();
        if (socket.readyState === socket.OPEN) tap?.closing();
        const terminate = () => socket.terminate();
        const timer = setTimeout(terminate, closeMs);
        deadline?.addEventListener("abort", terminate, { once: true });
        socket.once("close", () => {
          clearTimeout(timer);
          deadline?.removeEventListener("abort", terminate);
          resolve();
        });
        socket.close(code, reason);
        if (deadline?.aborted) terminate();
      });
    },
    reject,
  };
}

function callEnded(cause?: unknown): RunnerError {
  return new RunnerError("CALL_ENDED", "The message was not sent: the caller is gone.", { cause });
}

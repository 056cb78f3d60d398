import type { CloseReason, Logger } from "@pipecat-ts/runner-core";
import { createReception, type Reception } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import { createDecoder } from "./codec.ts";

/** One caller's socket, listened to from the moment it opened. */
export interface SocketReception extends Pick<Reception, "attach"> {
  /** Resolves, never rejects, when the socket is closed. */
  readonly left: Promise<CloseReason>;
}

/** Listens to a socket. Call it before anything is awaited, or what the caller says first is lost. */
export function receive(socket: WebSocket, logger: Logger): SocketReception {
  let reason: CloseReason = "caller-left";
  const reception = createReception();
  const decoder = createDecoder((why) => {
    if (decoder.dropped === 1) logger.warn(`Skipped ${why}. Further messages of no use are only counted.`);
  });

  reception.connected();
  socket.on("message", (data, isBinary) => {
    const bytes = data as Buffer;
    const frame = decoder.decode(bytes, isBinary);
    if (frame?.kind === "audio") reception.audio(frame.audio);
    else if (frame) reception.message(frame.message, bytes.byteLength);
  });
  // Says what broke the protocol, a message above `maxPayload` for one; `close` follows. A lost network comes as `close` alone.
  socket.on("error", (error) => {
    reason = "transport-failed";
    logger.warn({ err: error }, `The caller's socket cannot go on: ${error.message}`);
  });
  const left = new Promise<CloseReason>((resolve) => {
    socket.once("close", () => {
      const lost = {
        skippedMessages: decoder.dropped,
        unheardMessages: reception.dropped.messages,
        unheardAudioMs: reception.dropped.audioMs,
      };
      if (Object.values(lost).some((count) => count > 0)) logger.info(lost, "Not all that the caller sent was used");
      reception.left(reason);
      resolve(reason);
    });
  });

  return { left, attach: reception.attach };
}

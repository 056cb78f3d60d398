import type { CloseReason, Logger } from "@pipecat-ts/runner-core";
import type { Caller } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import { createBacklog } from "./backlog.ts";
import { createDecoder, type WireFrame } from "./codec.ts";

/** One caller's socket, listened to from the moment it opened. */
export interface Reception {
  /** Tells `caller` what was kept until now, and from now on everything. Once. */
  attach(caller: Caller): void;
  /** Resolves, never rejects, when the socket is closed. */
  readonly left: Promise<CloseReason>;
}

/** Listens to a socket. Call it before anything is awaited, or what the caller says first is lost. */
export function receive(socket: WebSocket, logger: Logger): Reception {
  let caller: Caller | undefined;
  let reason: CloseReason = "caller-left";
  const backlog = createBacklog();
  const decoder = createDecoder((why) => {
    if (decoder.dropped === 1) logger.warn(`Skipped ${why}. Further messages of no use are only counted.`);
  });

  socket.on("message", (data, isBinary) => {
    const bytes = data as Buffer;
    const frame = decoder.decode(bytes, isBinary);
    if (!frame) return;
    if (caller) tell(caller, frame);
    else backlog.add(frame, bytes.byteLength);
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
        unheardMessages: backlog.dropped.messages,
        unheardAudioMs: backlog.dropped.audioMs,
      };
      if (Object.values(lost).some((count) => count > 0)) logger.info(lost, "Not all that the caller sent was used");
      caller?.left(reason);
      resolve(reason);
    });
  });

  return {
    left,
    attach(to) {
      caller = to;
      to.connected();
      backlog.release((frame) => tell(to, frame));
      if (socket.readyState === socket.CLOSED) to.left(reason);
    },
  };
}

function tell(caller: Caller, frame: WireFrame): void {
  if (frame.kind === "audio") caller.audio(frame.audio);
  else caller.message(frame.message);
}

import type { CloseReason } from "@pipecat-ts/runner-core";
import type { Clock } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";

/** Carriers answer the closing of a socket at once, or not at all. */
const closeTimeoutMs = 500;

/** Closes a call's socket, by force when the carrier does not answer; resolves, never rejects, when it is closed. */
export function closeSocket(socket: WebSocket, reason: CloseReason, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState === socket.CLOSED) return resolve();
    const cancel = clock.after(closeTimeoutMs, () => socket.terminate());
    socket.once("close", () => {
      cancel();
      resolve();
    });
    // Carriers report every other code than 1000 as a failure of the call.
    socket.close(1000, reason);
  });
}

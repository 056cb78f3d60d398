import { encodeMulaw } from "@pipecat-ts/audio";
import type { CallData } from "@pipecat-ts/runner-core";
import type { MediaPort } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import type { Dialect, Json } from "./dialect.ts";

/** One call's wire: mu-law at 8,000 Hz in JSON, sent ahead since the carrier buffers and can clear. */
export function createPhonePort(socket: WebSocket, dialect: Dialect, call: CallData): MediaPort {
  const send = (message: Json) => socket.send(JSON.stringify(message));
  return {
    sampleRates: [8_000],
    frameMs: 20,
    sendAheadMs: 400,
    send: ({ samples }) => send(dialect.audio(call, encodeMulaw(samples))),
    clear: () => send(dialect.clear(call)),
    mark: (mark) => send(dialect.mark(call, mark)),
    close: () => hangUp(socket),
  };
}

/** Closes the socket, by force when the carrier does not answer within a second. */
export async function hangUp(socket: WebSocket): Promise<void> {
  if (socket.readyState === socket.CLOSED) return;
  const timer = setTimeout(() => socket.terminate(), 1_000);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  socket.close(1000);
  await closed;
  clearTimeout(timer);
}

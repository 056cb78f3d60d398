import type { WebSocket } from "ws";
import { type JsonObject, parseObject } from "./json.ts";

/** How long a carrier may take to say who calls, in ms. */
const announceMs = 10_000;
const maxMessages = 5;
const maxMessageBytes = 65_536;

/**
 * Reads a socket's first messages until `recognise` finds in one who calls, and not one further. Closes a socket that
 * stays silent for 10 s or sends 5 messages of no use with 1008, one that sends more than 64 KiB at once with 1009.
 *
 * `recognise` runs within the message's event, so that whoever it hands the socket to misses nothing.
 */
export function awaitAnnouncement(socket: WebSocket, recognise: (message: JsonObject) => boolean): void {
  let messages = 0;
  const silent = setTimeout(() => give(1008, "nobody said who calls"), announceMs);

  function stop(): void {
    clearTimeout(silent);
    socket.off("message", read);
    socket.off("close", stop);
  }

  function give(code: number, reason: string): void {
    stop();
    socket.close(code, reason);
  }

  function read(data: Buffer, isBinary: boolean): void {
    messages += 1;
    const isTooLarge = data.byteLength > maxMessageBytes;
    const message = isBinary || isTooLarge ? undefined : parseObject(data.toString("utf8"));
    if (isTooLarge) give(1009, "the first message is too large");
    else if (message && recognise(message)) stop();
    else if (messages >= maxMessages) give(1008, "no carrier talks like this");
  }

  socket.on("message", read);
  socket.once("close", stop);
}

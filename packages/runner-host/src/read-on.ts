import type { IncomingMessage, ServerResponse } from "node:http";

/** How long a client that wants its connection closed may send on after its answer. */
const sendOnMs = 1_000;

/**
 * Has a refusal reach a client that is still sending its body: what comes is read and forgotten, and the connection closed
 * only after that. One that is closed with bytes unread is reset, and the answer lost. Call it before the answer is sent.
 */
export function readOn(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  if (response.shouldKeepAlive || request.complete) return;
  const { socket } = request;
  response.shouldKeepAlive = true; // else Node closes it with the answer
  response.once("finish", () => {
    const close = () => socket.destroySoon();
    if (request.complete) return close();
    const timer = setTimeout(close, sendOnMs);
    request.once("end", close);
    socket.once("close", () => clearTimeout(timer));
  });
}

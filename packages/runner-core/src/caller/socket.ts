import type { WebSocket } from "ws";
import { callRejected } from "./caller.ts";

/** Resolves when the socket is open. Rejects with `callRejected(…)` when the upgrade is refused, or with an error of the network. */
export function opened(socket: WebSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.on("error", reject);
    socket.once("unexpected-response", async (request, response) => {
      let text = "";
      try {
        for await (const chunk of response.setEncoding("utf8")) text += chunk;
      } catch {
        // The body is cut off. The status tells why.
      }
      reject(callRejected({ status: response.statusCode ?? 0, text }));
      request.destroy();
    });
  });
}

import type { Socket } from "node:net";
import type { Logger } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";

/** How often sockets are pinged. One that sends nothing, not even the pong, for a whole period is gone. */
export const pingMs = 20_000;

/** Finds out that a caller's network went away without a word. One timer for all sockets, none while there are none. */
export interface SocketLiveness {
  /** Pings this socket until it closes, and terminates it when nothing comes back. `connection` is what it runs over. */
  watch(socket: WebSocket, connection: Socket): void;
}

export function createSocketLiveness(logger: Logger): SocketLiveness {
  /** To the bytes read from each connection when it was pinged last. */
  const watched = new Map<WebSocket, { readonly connection: Socket; bytesRead: number }>();
  let timer: NodeJS.Timeout | undefined;

  function pingAll(): void {
    for (const [socket, seen] of watched) {
      const { bytesRead } = seen.connection;
      // Whoever pauses a socket does not want to read, so nothing follows from nothing being read.
      if (bytesRead === seen.bytesRead && !socket.isPaused) {
        logger.info(`a WebSocket was silent for ${pingMs / 1000} s: terminated`);
        socket.terminate();
        continue;
      }
      seen.bytesRead = bytesRead;
      if (socket.readyState === socket.OPEN) socket.ping();
    }
  }

  return {
    watch(socket, connection) {
      // -1: it has a whole period from its first ping.
      watched.set(socket, { connection, bytesRead: -1 });
      timer ??= setInterval(pingAll, pingMs);
      socket.on("close", () => {
        watched.delete(socket);
        if (watched.size > 0) return;
        clearInterval(timer);
        timer = undefined;
      });
    },
  };
}

/** The floor: a `ws` server that returns every message. */
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { answerParent } from "../children.ts";
import { usageSince } from "../usage.ts";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
await once(server, "listening");
server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));

answerParent(({ ask }) => {
  if (ask === "usage") return usageSince();
  const { port } = server.address() as { port: number };
  return { url: `ws://127.0.0.1:${port}/` };
});

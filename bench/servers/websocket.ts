/** A runner with the example bot and the WebSocket transport. */
import "./command-heap.ts";
import { bot } from "@pipecat-ts/echo-bot/bot.ts";
import { createRunner } from "@pipecat-ts/runner-host";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { answerParent } from "../children.ts";
import { createPacerObserver, usageSince } from "../usage.ts";

const observer = createPacerObserver();
const runner = createRunner({
  bot,
  plugins: [websocket, observer.plugin],
  maxSessions: Number.POSITIVE_INFINITY,
  port: 0,
});
await runner.listen();

answerParent(({ ask }) => {
  if (ask === "usage") return { ...usageSince(), lag: observer.read() };
  const socket = new URL("/ws-client", runner.url);
  socket.protocol = "ws:";
  return { url: socket.href, startUrl: new URL("/start", runner.url).href };
});

/** The runner with the example bot, in a process that tells what it uses. */
import { bot } from "@pipecat-ts/echo-bot/bot.ts";
import { createRunner } from "@pipecat-ts/runner-host";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { answerParent } from "../children.ts";
import { createPacerObserver } from "../pacer-observer.ts";
import { usageSince } from "./usage.ts";

const observer = createPacerObserver();
const runner = createRunner({ bot, plugins: [websocket, observer.plugin], port: 0 });
await runner.listen();

answerParent(({ ask }) => {
  if (ask === "usage") return { ...usageSince(), lateness: observer.read() };
  const socket = new URL("/ws-client", runner.url);
  socket.protocol = "ws:";
  return { url: socket.href, startUrl: new URL("/start", runner.url).href };
});

/** The runner with the example bot, in a process that tells what it uses. */
import { bot } from "@pipecat-ts/echo-bot/bot.ts";
import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createPacer, type Lateness } from "@pipecat-ts/runner-media";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { answerParent } from "../children.ts";
import { usageSince } from "./usage.ts";

let lateness: Lateness | undefined;

/** Sees the pacer that the transports share. */
const observer: TransportPlugin = {
  name: "observer",
  selectable: false,
  open(runner) {
    lateness = runner.shared("pacer", createPacer).lateness;
    return { close: async () => undefined };
  },
};

const runner = createRunner({ bot, plugins: [websocket, observer], port: 0 });
await runner.listen();

answerParent(({ ask }) => {
  if (ask === "usage") {
    const figures = { p50Ms: lateness?.percentileMs(50), p99Ms: lateness?.percentileMs(99) };
    lateness?.reset();
    return { ...usageSince(), lateness: figures };
  }
  const socket = new URL("/ws-client", runner.url);
  socket.protocol = "ws:";
  return { url: socket.href, startUrl: new URL("/start", runner.url).href };
});

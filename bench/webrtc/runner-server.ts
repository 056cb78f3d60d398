/** A runner with the example bot and the WebRTC transport. */
import "../servers/command-heap.ts";
import { bot } from "@pipecat-ts/echo-bot/bot.ts";
import type { Logger } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import { answerParent } from "../children.ts";
import { createPacerObserver, usageSince } from "../usage.ts";
import { startProfile } from "./profile.ts";

/** The packet counts in the log of each ended call. */
const calls: object[] = [];
let stopProfile: Awaited<ReturnType<typeof startProfile>> | undefined;

const nothing = (): void => undefined;
const logger: Logger = {
  debug(fields: object | string) {
    if (typeof fields === "object" && "concealedMs" in fields) calls.push(fields);
  },
  info: nothing,
  warn: nothing,
  error: (...line: unknown[]) => console.error(...line),
  child: () => logger,
};

const observer = createPacerObserver();
const runner = createRunner({
  bot,
  plugins: [webrtc, observer.plugin],
  maxSessions: Number.POSITIVE_INFINITY,
  port: 0,
  logger,
});
await runner.listen();

answerParent(async ({ ask }) => {
  if (ask === "usage") return { ...usageSince(), lag: observer.read() };
  if (ask === "packets") return { calls };
  if (ask === "start profile") stopProfile = await startProfile();
  else if (ask === "stop profile") return await stopProfile?.();
  return { url: new URL("/api/offer", runner.url).href };
});

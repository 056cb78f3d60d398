/** The runner with the example bot and callers by WebRTC, in a process that tells what it uses. */
import { bot } from "@pipecat-ts/echo-bot/bot.ts";
import type { Logger } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import webrtc from "@pipecat-ts/runner-webrtc/plugin";
import { answerParent } from "../children.ts";
import { createPacerObserver } from "../pacer-observer.ts";
import { usageSince } from "../servers/usage.ts";
import { startProfile } from "./profile.ts";

/** What each call that ended logged of its caller's packets. */
const calls: object[] = [];
let stopProfile: Awaited<ReturnType<typeof startProfile>> | undefined;

const nothing = (): void => undefined;
const logger: Logger = {
  debug(fields: object | string) {
    if (typeof fields === "object" && "concealedMs" in fields) calls.push(fields);
  },
  info: nothing,
  warn: nothing,
  error: (...said: unknown[]) => console.error(...said),
  child: () => logger,
};

const observer = createPacerObserver();
const runner = createRunner({ bot, plugins: [webrtc, observer.plugin], port: 0, logger });
await runner.listen();

answerParent(async ({ ask }) => {
  if (ask === "usage") return { ...usageSince(), lateness: observer.read() };
  if (ask === "packets") return { calls };
  if (ask === "start profile") stopProfile = await startProfile();
  else if (ask === "stop profile") return await stopProfile?.();
  return { url: new URL("/api/offer", runner.url).href };
});

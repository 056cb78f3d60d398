import type { Bot } from "@pipecat-ts/runner-core";
import { bot as echoBot } from "../../apps/echo-bot/bot.ts";

/** How a start request has the bot crash: `{"body": {"crash": "timer"}}`. */
export type Crash = "body" | "later" | "timer" | "promise";

/** The example bot, but for callers who ask for a crash. */
export const crashingEchoBot: Bot = (args) => {
  const crash = (args.body as { readonly crash?: Crash } | undefined | null)?.crash;
  const fail = (): never => {
    throw new Error(`crashed in ${crash}`);
  };
  if (crash === "body") fail();
  if (crash === "timer") setTimeout(fail, 20);
  if (crash === "promise") void Promise.resolve().then(fail);
  if (crash === "later") return Promise.race([echoBot(args), new Promise((_, reject) => setTimeout(reject, 20))]);
  return echoBot(args);
};

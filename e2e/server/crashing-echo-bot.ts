import type { Bot } from "@pipecat-ts/runner-core";
import { bot as exampleBot } from "../../apps/echo-bot/bot.ts";
import { bot as phoneBot } from "./phone-bot.ts";

/**
 * How a start request has the bot crash: `{"body": {"crash": "timer"}}`. `asked`: when `/sessions/{id}/crash` is asked for;
 * `return` is no crash, but as sudden, and then as well.
 */
export type Crash = "body" | "later" | "timer" | "promise" | "asked" | "return";

/** The example bot knows no phones. */
const echoBot: Bot = (args) =>
  args.transport === "websocket" || args.transport === "webrtc" ? exampleBot(args) : phoneBot(args);

/** The example bot, but for callers who ask for a crash. */
export const crashingEchoBot: Bot = (args) => {
  const crash = (args.body as { readonly crash?: Crash } | undefined | null)?.crash;
  const fail = (): never => {
    throw new Error(`crashed in ${crash}`);
  };
  const asked = new Promise<void>((resolve) => {
    args.session.onRequest((ctx) => {
      ctx.body = {};
      resolve();
    });
  });
  if (crash === "body") fail();
  if (crash === "timer") setTimeout(fail, 20);
  if (crash === "promise") void Promise.resolve().then(fail);
  if (crash === "later") return Promise.race([echoBot(args), new Promise((_, reject) => setTimeout(reject, 20))]);
  if (crash === "asked") return Promise.race([echoBot(args), asked.then(fail)]);
  if (crash === "return") return Promise.race([echoBot(args), asked]);
  return echoBot(args);
};

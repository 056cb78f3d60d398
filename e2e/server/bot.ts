import type {} from "@pipecat-ts/runner-telephony-exotel";
import type {} from "@pipecat-ts/runner-telephony-plivo";
import type {} from "@pipecat-ts/runner-telephony-telnyx";
import type {} from "@pipecat-ts/runner-telephony-twilio";
import type {} from "@pipecat-ts/runner-telephony-vonage";
import type {} from "@pipecat-ts/runner-webrtc";
import { createTransport, type RunnerArguments } from "pipecat-runner";
import { bot as exampleBot } from "../../apps/echo-bot/bot.ts";

/**
 * How the bot fails: `{"crash": "timer"}` in the body of the session. With `asked` and `return` it waits for a request to
 * `/sessions/{id}/crash`; with `return` it then returns instead of throwing.
 */
export type Crash = "body" | "later" | "timer" | "promise" | "asked" | "return";

/**
 * The example bot, unless the session's body asks for a failure, or with `{"watch": true}` for pictures of camera and screen.
 * On the phone, the key 0 hangs up.
 */
export async function bot(args: RunnerArguments): Promise<void> {
  const { crash, watch } = Object(args.body) as { readonly crash?: Crash; readonly watch?: boolean };
  if (watch === true) return await echoAndWatch(args);
  const fail = (): never => {
    throw new Error(`crash in ${crash}`);
  };
  if (crash === "body") fail();
  if (crash === "timer") setTimeout(fail, 20);
  if (crash === "promise") void Promise.resolve().then(fail);
  const ends: Promise<void>[] = [echo(args)];
  if (crash === "later") ends.push(new Promise((_, reject) => setTimeout(reject, 20)));
  if (crash === "asked") ends.push(requested(args).then(fail));
  if (crash === "return") ends.push(requested(args));
  await Promise.race(ends);
}

async function requested({ session }: RunnerArguments): Promise<void> {
  await new Promise<void>((resolve) => {
    session.onRequest((ctx) => {
      ctx.body = {};
      resolve();
    });
  });
}

/** Takes pictures all the time, and returns the caller's audio. */
async function echoAndWatch(args: RunnerArguments): Promise<void> {
  if (args.transport !== "webrtc") return;
  const transport = await createTransport(args, { webrtc: () => ({ videoInEnabled: true }) });
  const watch = async (source: "camera" | "screen") => {
    for await (const { width } of transport.video?.frames({ source, every: 200 }) ?? [])
      await transport.sendMessage({ source, width });
  };
  await Promise.all([transport.input.pipeTo(transport.output), watch("camera"), watch("screen")]);
}

async function echo(args: RunnerArguments): Promise<void> {
  if (args.transport === "websocket" || args.transport === "webrtc") return await exampleBot(args);
  const audio = () => ({ audioInEnabled: true, audioOutEnabled: true });
  const transport = await createTransport(args, {
    exotel: audio,
    plivo: audio,
    telnyx: audio,
    twilio: audio,
    vonage: audio,
  });
  transport.on("dtmf", (key) => key === "0" && void transport.close());
  await transport.input.pipeTo(transport.output);
}

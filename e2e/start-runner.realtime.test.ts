import { createTransport, type RunnerArguments } from "@pipecat-ts/runner-core";
import twilioCaller from "@pipecat-ts/runner-telephony-twilio/caller";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { countSettledResources, settleResources, startRunner, tone } from "@pipecat-ts/runner-testing";
import websocketCaller from "@pipecat-ts/runner-websocket/caller";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { expect, test } from "vitest";

const audio = () => ({});
const callers = [websocketCaller, twilioCaller];
const plugins = [websocket, twilio];

let bodies: unknown[] = [];

/** Plays back the caller's audio, and hangs up when a key is pressed. */
async function bot(args: RunnerArguments): Promise<void> {
  bodies.push(args.body);
  const transport = await createTransport(args, { websocket: audio, twilio: audio });
  transport.on("dtmf", () => void transport.close());
  await transport.input.pipeTo(transport.output);
}

test("callers of two transports hear the bot over the wire, and nothing is left after close", async () => {
  bodies = [];
  const before = await countSettledResources();
  const apiKey = "a-key-of-16-letters";
  const runner = await startRunner({ bot, plugins, callers, apiKey });
  const call = await runner.call("websocket", { body: { plan: "gold" } });
  await call.say(tone(440, { durationMs: 600 }));
  expect(await call.hears({ pitchHz: 440 })).toMatchObject({ levelDb: expect.any(Number) });
  expect(bodies).toEqual([{ plan: "gold" }]);
  await expect.poll(() => call.received("bot-ready")).toHaveLength(1);
  await expect(runner.call("pigeon")).rejects.toMatchObject({ code: "TRANSPORT_UNAVAILABLE" });
  await runner.close();
  expect(await call.ended).toMatchObject({ code: 1000 });

  await using phones = await startRunner({ bot, plugins, callers });
  const phone = await phones.call("twilio");
  await phone.say(tone(330, { durationMs: 600, sampleRate: 24_000 }));
  await phone.hears({ pitchHz: 330 });
  phone.press("5");
  expect(await phone.ended).toMatchObject({ code: 1000 });
  await phones.close();
  expect(await settleResources(before, 5_000)).toEqual([]);
});

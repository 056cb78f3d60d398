import { type Bot, createTransport, type Transport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { createRecordingLogger, cut, join, measurePitch, tone, until } from "@pipecat-ts/runner-testing";
import { onTestFinished } from "vitest";
import type { SmallWebRTCConnection, WebRTCEvents } from "../arguments.ts";
import type { WebRTCOptions } from "../options.ts";
import plugin from "../plugin.ts";
import { connectCaller, type WebRTCCaller } from "./fake-caller.ts";

/** For tests: what the bot was given of one call. */
export interface BotsCall {
  readonly connection: SmallWebRTCConnection;
  readonly transport: Transport<WebRTCEvents>;
}

/** A runner that is closed at the end of the test, and the calls that its bot has taken. */
export interface Stage {
  readonly runner: Runner;
  readonly calls: readonly BotsCall[];
  /** Has a caller come in who is gone at the end of the test. `more` is added to its offer. */
  call(more?: Readonly<Record<string, unknown>>): Promise<WebRTCCaller>;
}

/**
 * Its bot takes the call, once `when` has come, and plays back what it hears, unless `bot` goes on with the call
 * otherwise. `webrtc` are the transport's settings.
 */
export async function openStage(
  bot: (call: BotsCall) => Promise<unknown> = echo,
  when: Promise<unknown> = Promise.resolve(),
  webrtc: Partial<WebRTCOptions> = {},
): Promise<Stage> {
  const calls: BotsCall[] = [];
  const takeCall: Bot = async (args) => {
    if (args.transport !== "webrtc") return;
    await when;
    const call = { connection: args.webrtcConnection, transport: await createTransport(args, { webrtc: () => ({}) }) };
    calls.push(call);
    await bot(call);
  };
  const logger = createRecordingLogger();
  const runner = createRunner({
    bot: takeCall,
    plugins: [plugin],
    pluginOptions: { webrtc },
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger,
  });
  onTestFinished(() => runner.close());
  await runner.listen();
  return {
    runner,
    calls,
    async call(more) {
      const caller = await connectCaller(new URL("/api/offer", runner.url), more);
      onTestFinished(() => caller.drop());
      return caller;
    },
  };
}

async function echo({ transport }: BotsCall): Promise<void> {
  await transport.input.pipeTo(transport.output);
}

/** Has the caller say a tone of `hz` until it hears that tone come back. */
export async function hearOneself(caller: WebRTCCaller, hz: number): Promise<void> {
  const frames = cut(tone(hz, { durationMs: 20_000, sampleRate: caller.sampleRate }));
  const mouth = setInterval(() => {
    const frame = frames.shift();
    if (frame) caller.sendAudio(frame);
  }, 20);
  const heard = () =>
    measurePitch(
      join(
        caller.playout
          .played()
          .slice(-10)
          .map(({ frame }) => frame),
      ),
    ) ?? 0;
  try {
    await until(`${hz} Hz are heard`, () => Math.abs(heard() / hz - 1) < 0.01, 10_000);
  } finally {
    clearInterval(mouth);
  }
}

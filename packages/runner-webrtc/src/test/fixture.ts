import { type Bot, createTransport, type Transport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner, type RunnerOptions } from "@pipecat-ts/runner-host";
import {
  type Answer,
  createRecordingLogger,
  cut,
  join,
  measurePitch,
  send,
  tone,
  until,
} from "@pipecat-ts/runner-testing";
import { expect, onTestFinished } from "vitest";
import type { SmallWebRTCConnection, WebRTCEvents } from "../arguments.ts";
import { connectCaller, type WebRTCCaller } from "../caller.ts";
import type { WebRTCOptions } from "../options.ts";
import { chromium } from "../peer/test/offers.ts";
import plugin from "../plugin.ts";

/** For tests: what the bot got for one call. */
export interface BotCall {
  readonly connection: SmallWebRTCConnection;
  readonly transport: Transport<WebRTCEvents>;
}

/** For tests: a runner that is closed after the test, and the calls of its bot. */
export interface Fixture {
  readonly runner: Runner;
  readonly calls: readonly BotCall[];
  /** Connects a caller, which leaves after the test. `fields` are added to its offer. */
  call(fields?: Readonly<Record<string, unknown>>): Promise<WebRTCCaller>;
}

/** Its bot creates the transport when `ready` resolves, and then runs `bot`: by default, an echo. */
export async function openFixture(
  bot: (call: BotCall) => Promise<unknown> = ({ transport }) => transport.input.pipeTo(transport.output),
  ready: Promise<unknown> = Promise.resolve(),
  webrtc: Partial<WebRTCOptions> = {},
): Promise<Fixture> {
  const calls: BotCall[] = [];
  const runner = await listen(
    async (args) => {
      if (args.transport !== "webrtc") return;
      await ready;
      const transport = await createTransport(args, { webrtc: () => ({}) });
      const call = { connection: args.webrtcConnection, transport };
      calls.push(call);
      await bot(call);
    },
    { pluginOptions: { webrtc } },
  );
  onTestFinished(() => runner.close());
  return {
    runner,
    calls,
    async call(fields) {
      const caller = await connectCaller(new URL("/api/offer", runner.url), fields);
      onTestFinished(() => caller.drop());
      return caller;
    },
  };
}

/** For tests: a listening runner. The test closes it. */
export async function listen(bot: Bot, options: Partial<RunnerOptions> = {}): Promise<Runner> {
  const runner = createRunner({
    bot,
    plugins: [plugin],
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
    ...options,
  });
  await runner.listen();
  return runner;
}

/** For tests: a bot that returns the caller's audio. */
export const echo: Bot = async (args) => {
  const transport = await createTransport(args, { webrtc: () => ({}) });
  await transport.input.pipeTo(transport.output);
};

/** Plays a tone of `hz` to the bot until the caller hears it come back. */
export async function hearEcho(caller: WebRTCCaller, hz: number): Promise<void> {
  const frames = cut(tone(hz, { durationMs: 20_000, sampleRate: caller.sampleRate }));
  const timer = setInterval(() => {
    const frame = frames.shift();
    if (frame) caller.sendAudio(frame);
  }, 20);
  const pitch = () => {
    const received = caller.playout.played().slice(-10);
    return measurePitch(join(received.map(({ frame }) => frame))) ?? 0;
  };
  try {
    await until(`the caller hears ${hz} Hz`, () => Math.abs(pitch() / hz - 1) < 0.01, 10_000);
  } finally {
    clearInterval(timer);
  }
}

type Fields = Readonly<Record<string, unknown>>;

export function start(runner: Runner, body: Fields = {}): Promise<Answer> {
  return send(new URL("/start", runner.url), { method: "POST", body });
}

/** Posts a browser's offer whose media never arrives; to the session's URL if `fields` has a `sessionId`. */
export function offer(runner: Runner, fields: Fields = {}): Promise<Answer> {
  return request(runner, "POST", { sdp: chromium, type: "offer", pc_id: null, restart_pc: false, ...fields });
}

export function patch(runner: Runner, fields: Fields): Promise<Answer> {
  return request(runner, "PATCH", fields);
}

function request(runner: Runner, method: string, { sessionId, ...body }: Fields): Promise<Answer> {
  const path = sessionId === undefined ? "/api/offer" : `/sessions/${sessionId}/api/offer`;
  return send(new URL(path, runner.url), { method, body });
}

export function pcIdOf({ json }: Answer): string {
  return (json as { readonly pc_id: string }).pc_id;
}

/** Matches the answer to a rejected request. */
export function rejection(status: number, code: string): object {
  return {
    status,
    headers: { "content-type": expect.stringMatching(/^application\/json/), "content-length": expect.any(String) },
    json: { detail: expect.any(String), code },
  };
}

import type { AudioFrame } from "@pipecat-ts/audio";
import {
  type Bot,
  createTransport,
  type RunnerArguments,
  type SessionArguments,
  type Transport,
  type TransportFactories,
  type TransportParams,
} from "@pipecat-ts/runner-core";

/** `createTransport` with the same params for every transport. */
export async function connectBot(args: SessionArguments, params: TransportParams = {}): Promise<Transport> {
  const factories: TransportFactories = { [args.transport]: () => params };
  return await createTransport(args as RunnerArguments, factories);
}

/** A bot that sends the caller's audio back. */
export async function echo(args: SessionArguments): Promise<void> {
  const transport = await connectBot(args);
  await transport.input.pipeTo(transport.output);
}

/** A bot that connects, and then does what the test tells it. */
export interface ScriptedBot {
  readonly bot: Bot;
  /** Its calls, oldest first. A call is added when its transport exists. */
  readonly calls: readonly ScriptedCall[];
}

/** One call of a scripted bot. */
export interface ScriptedCall {
  readonly args: SessionArguments;
  readonly transport: Transport;
}

/** A scripted bot whose transports have `params`. It returns when its transport closes. */
export function createScriptedBot(params: TransportParams = {}): ScriptedBot {
  const calls: ScriptedCall[] = [];
  return {
    calls,
    async bot(args) {
      const transport = await connectBot(args, params);
      calls.push({ args, transport });
      await transport.closed;
    },
  };
}

/** Records every frame of `stream`. `ended` resolves when the stream closes. */
export function collect(stream: ReadableStream<AudioFrame>): {
  readonly frames: readonly AudioFrame[];
  readonly ended: Promise<void>;
} {
  const frames: AudioFrame[] = [];
  const ended = (async () => {
    for await (const frame of stream) frames.push(frame);
  })();
  return { frames, ended };
}

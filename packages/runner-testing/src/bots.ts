import type { AudioFrame } from "@pipecat-ts/audio";
import {
  type Bot,
  connectOf,
  type SessionArguments,
  type Transport,
  type TransportParams,
} from "@pipecat-ts/runner-core";
import { createGate } from "./gate.ts";

/** Connects a bot to its caller as `createTransport` does, whatever the transport is called. */
export async function connectBot(args: SessionArguments, params: TransportParams = {}): Promise<Transport> {
  return await connectOf(args)(params);
}

/** Says to the caller what the caller says. */
export async function echo(args: SessionArguments): Promise<void> {
  const transport = await connectBot(args);
  await transport.input.pipeTo(transport.output);
}

/** A bot that connects and then does what a test has it do. */
export interface Puppet {
  readonly bot: Bot;
  /** The calls it is or was in, oldest first; one is added when its transport is there. */
  readonly calls: readonly PuppetCall[];
}

/** One call that a puppet is in. */
export interface PuppetCall {
  readonly args: SessionArguments;
  readonly transport: Transport;
  /** Makes the bot return. It does so by itself when the transport closes. */
  finish(): void;
  /** Makes the bot throw. */
  fail(error: Error): void;
}

/** A puppet whose transports get `params`. */
export function createPuppet(params: TransportParams = {}): Puppet {
  const calls: PuppetCall[] = [];
  return {
    calls,
    async bot(args) {
      const transport = await connectBot(args, params);
      const end = createGate();
      calls.push({ args, transport, finish: end.open, fail: end.fail });
      await Promise.race([end.opened, transport.closed]);
    },
  };
}

/** Keeps every frame that `stream` gives, until it closes or `ended` is awaited for ever. */
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

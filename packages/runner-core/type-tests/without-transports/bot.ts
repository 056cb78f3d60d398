/** A bot that imports no transport: it compiles, and gets the fields that all transports share. */
import {
  type Bot,
  createTransport,
  type RunnerArguments,
  type SessionArguments,
  type Transport,
} from "@pipecat-ts/runner-core";
import { sameType } from "../same-type.ts";

sameType<RunnerArguments, SessionArguments>();

export async function bot(args: RunnerArguments): Promise<void> {
  sameType<typeof args.transport, string>();
  sameType<typeof args.body, unknown>();
  args.session.logger.info({ from: args.transport }, `Hello, ${args.sessionId}`);
  args.signal.throwIfAborted();
  const transport = await createTransport(args, {
    pigeon: () => ({ audioInEnabled: true, audioInSampleRate: 8_000 }),
    "any-other": async () => ({}),
  });
  sameType<typeof transport, Transport>();
  await transport.input.pipeTo(transport.output);
}
export const asBot: Bot = bot;

export async function wrongUses(args: RunnerArguments): Promise<void> {
  // @ts-expect-error TS2322 not a rate
  await createTransport(args, { pigeon: () => ({ audioInSampleRate: "8 kHz" }) });
  // @ts-expect-error TS2339 unknown field
  args.loft;
}

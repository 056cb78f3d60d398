import { createTransport, main, type RunnerArguments } from "pipecat-runner";
import type {} from "./src/index.ts";

/** Plays back the caller's audio: a bot to try the transport with. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, { pigeon: () => ({}) });
  await transport.input.pipeTo(transport.output);
}

await main(import.meta);

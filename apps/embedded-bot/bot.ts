import type {} from "@pipecat-ts/runner-websocket";
import { createTransport, type RunnerArguments } from "pipecat-runner";

/** Plays back the caller's audio. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, { websocket: () => ({}) });
  await transport.input.pipeTo(transport.output);
}

import type {} from "@pipecat-ts/runner-websocket";
import { createTransport, type RunnerArguments, recordCall } from "pipecat-runner";

/** Records the call to the file in `RECORDING` and speaks a steady value until the caller leaves. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, { websocket: () => ({}) });
  await recordCall(args, transport, { path: process.env.RECORDING ?? "" });
  const speech = transport.speak();
  while (!speech.signal.aborted) {
    await speech.write({ samples: new Int16Array(320).fill(5_000), sampleRate: 16_000, channels: 1 });
  }
}

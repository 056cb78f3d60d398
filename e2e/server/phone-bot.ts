import type {} from "@pipecat-ts/runner-telephony-exotel";
import type {} from "@pipecat-ts/runner-telephony-plivo";
import type {} from "@pipecat-ts/runner-telephony-telnyx";
import type {} from "@pipecat-ts/runner-telephony-twilio";
import { createTransport, type RunnerArguments } from "pipecat-runner";

/** Says to whoever calls by phone what they say, and hangs up when they press 0. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, {
    twilio: () => ({ autoHangUp: true }),
    telnyx: () => ({}),
    plivo: () => ({}),
    exotel: () => ({}),
  });
  transport.on("dtmf", (digit) => digit === "0" && void transport.close());
  await transport.input.pipeTo(transport.output);
}

/** The runner with phone calls that are echoed, in a process that tells what it uses. */
import type { TransportPlugin } from "@pipecat-ts/runner-core";
import { createRunner } from "@pipecat-ts/runner-host";
import { createPacer, type Lateness } from "@pipecat-ts/runner-media";
import type {} from "@pipecat-ts/runner-telephony-twilio";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { createTransport } from "pipecat-runner";
import { answerParent } from "../children.ts";
import { usageSince } from "./usage.ts";

let lateness: Lateness | undefined;

/** Sees the pacer that the transports share. */
const observer: TransportPlugin = {
  name: "observer",
  selectable: false,
  open(runner) {
    lateness = runner.shared("pacer", createPacer).lateness;
    return { close: async () => undefined };
  },
};

const runner = createRunner({
  async bot(args) {
    const { audioInSampleRate } = args.body as { readonly audioInSampleRate: number };
    const transport = await createTransport(args, { twilio: () => ({ audioInSampleRate }) });
    await transport.input.pipeTo(transport.output);
  },
  plugins: [twilio, observer],
  port: 0,
  env: {},
});
await runner.listen();

answerParent(({ ask, audioInSampleRate }) => {
  if (ask === "usage") {
    const figures = { p50Ms: lateness?.percentileMs(50), p99Ms: lateness?.percentileMs(99) };
    lateness?.reset();
    return { ...usageSince(), lateness: figures };
  }
  const body = Buffer.from(JSON.stringify({ audioInSampleRate })).toString("base64url");
  return { url: `ws://${runner.url.host}/ws?body=${body}` };
});

/** A runner with an echo bot and the Twilio transport. */
import "./command-heap.ts";
import { createRunner } from "@pipecat-ts/runner-host";
import type {} from "@pipecat-ts/runner-telephony-twilio";
import twilio from "@pipecat-ts/runner-telephony-twilio/plugin";
import { createTransport } from "pipecat-runner";
import { answerParent } from "../children.ts";
import { createPacerObserver, usageSince } from "../usage.ts";

const observer = createPacerObserver();
const runner = createRunner({
  maxSessions: Number.POSITIVE_INFINITY,
  async bot(args) {
    const { audioInSampleRate } = args.body as { readonly audioInSampleRate: number };
    const transport = await createTransport(args, { twilio: () => ({ audioInSampleRate }) });
    await transport.input.pipeTo(transport.output);
  },
  plugins: [twilio, observer.plugin],
  port: 0,
  env: {},
});
await runner.listen();

answerParent(({ ask, audioInSampleRate }) => {
  if (ask === "usage") return { ...usageSince(), lag: observer.read() };
  const body = Buffer.from(JSON.stringify({ audioInSampleRate })).toString("base64url");
  return { url: `ws://${runner.url.host}/ws?body=${body}` };
});

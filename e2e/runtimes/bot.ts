import type {} from "@pipecat-ts/runner-telephony-exotel";
import type {} from "@pipecat-ts/runner-telephony-plivo";
import type {} from "@pipecat-ts/runner-telephony-telnyx";
import type {} from "@pipecat-ts/runner-telephony-twilio";
import type {} from "@pipecat-ts/runner-webrtc";
import type {} from "@pipecat-ts/runner-websocket";
import { createRTVI, createTransport, main, type RunnerArguments, recordCall } from "pipecat-runner";

const audio = () => ({ audioInEnabled: true, audioOutEnabled: true });

/**
 * Plays back the caller's audio, records the call, and answers text with text. Some texts do more: "hang up", like the key 0, ends the
 * call; "fail", "throw" and "reject" fail in a listener, a timer and a promise that nobody awaits, also as "bound …" with
 * `session.bind`; "fill" fills the heap.
 */
export async function bot(args: RunnerArguments): Promise<void> {
  const transport = await createTransport(args, {
    exotel: audio,
    plivo: audio,
    telnyx: audio,
    twilio: audio,
    webrtc: audio,
    websocket: audio,
  });
  const rtvi = createRTVI(transport);
  rtvi.on("sendText", ({ content }) => {
    if (content === "hang up") void transport.close();
    else if (content === "fail") fail();
    else if (content === "throw") setTimeout(fail, 10);
    else if (content === "reject") setTimeout(async () => fail(), 10);
    else if (content === "bound throw") setTimeout(args.session.bind(fail), 10);
    else if (content === "bound reject")
      setTimeout(
        args.session.bind(async () => fail()),
        10,
      );
    else if (content === "fill") fill();
    else void rtvi.botOutput(`You wrote: ${content}`);
  });
  transport.on("dtmf", (key) => key === "0" && void transport.close());
  await recordCall(args, transport, { path: `${args.sessionId}.wav` });
  await transport.input.pipeTo(transport.output);
}

function fail(): never {
  throw new Error("a fault of this call");
}

function fill(): never {
  const kept: number[][] = [];
  for (;;) kept.push(new Array(100_000).fill(Math.random()));
}

await main(import.meta);

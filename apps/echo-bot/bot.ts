import type {} from "@pipecat-ts/runner-webrtc";
import type {} from "@pipecat-ts/runner-websocket";
import { createRTVI, createTransport, main, type RunnerArguments } from "pipecat-runner";
import { chime } from "./chime.ts";

/** Greets every caller with a chime, then plays back what they say. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, {
    webrtc: () => ({ audioInEnabled: true, audioOutEnabled: true }),
    websocket: () => ({ audioInEnabled: true, audioOutEnabled: true }),
  });

  // The caller's application may interrupt the bot: by `{"type": "interrupt"}`, or by RTVI's client message "interrupt".
  transport.on("appMessage", (message) => {
    if ((message as { type?: unknown } | null)?.type === "interrupt") transport.interrupt();
  });
  const rtvi = createRTVI(transport);
  rtvi.on("clientMessage", ({ type }) => {
    if (type === "interrupt") transport.interrupt();
  });
  rtvi.on("sendText", ({ content }) => rtvi.botOutput(`You wrote: ${content}`));
  rtvi.on("dtmf", (key) => rtvi.botOutput(`You pressed: ${key}`));

  await transport.play(chime()).done;
  await transport.input.cancel(); // What was said over the chime would keep the echo that much late.
  await transport.listen().pipeTo(transport.output);
}

await main(import.meta);

import { createRTVI, createTransport, main, type RunnerArguments } from "pipecat-runner";

const audio = () => ({ audioInEnabled: true, audioOutEnabled: true });

/** Plays back the caller's audio and answers text and keys with text. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, {
    daily: audio,
    exotel: audio,
    livekit: audio,
    plivo: audio,
    telnyx: audio,
    twilio: audio,
    vonage: audio,
    webrtc: audio,
    websocket: audio,
  });

  const rtvi = createRTVI(transport, { about: { name: "Echo bot" } });
  rtvi.on("sendText", ({ content }) => rtvi.botOutput(`You wrote: ${content}`));
  rtvi.on("dtmf", (key) => rtvi.botOutput(`You pressed: ${key}`));
  rtvi.on("clientMessage", ({ type }) => {
    if (type === "interrupt") transport.interrupt();
  });

  await transport.input.pipeTo(transport.output);
}

await main(import.meta);

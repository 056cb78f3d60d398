import { createTransport, type RunnerArguments } from "pipecat-runner";

const audio = () => ({ audioInEnabled: true, audioOutEnabled: true });

/** Plays back the caller's audio. */
export async function bot(args: RunnerArguments) {
  const transport = await createTransport(args, { twilio: audio, webrtc: audio, websocket: audio });
  await transport.input.pipeTo(transport.output);
}

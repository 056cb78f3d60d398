import OpenAI from "openai";
import type { RealtimeSessionCreateRequest } from "openai/resources/realtime/realtime";
import { type BotOptions, createRTVI, createTransport, main, type RunnerArguments } from "pipecat-runner";
import { converse, type Functions, sampleRate } from "./conversation.ts";

/** All settings: https://platform.openai.com/docs/api-reference/realtime-client-events/session/update */
const session: RealtimeSessionCreateRequest = {
  type: "realtime",
  model: "gpt-realtime",
  instructions:
    "You are a friendly assistant on a call. Answer in one or two short sentences. Begin by greeting the caller.",
  audio: {
    input: { transcription: { model: "gpt-4o-mini-transcribe" }, turn_detection: { type: "server_vad" } },
    output: { voice: "marin" },
  },
  tools: [
    { type: "function", name: "currentTime", description: "The time", parameters: { type: "object", properties: {} } },
  ],
};

/** The functions that the model may call: the `tools` above, by name. */
const functions: Functions = {
  currentTime: () => new Date().toLocaleTimeString(),
};

export const options: BotOptions = {
  apiKey: {
    env: "OPENAI_API_KEY",
    description: "API key of OpenAI, from https://platform.openai.com/api-keys",
    schema: { type: "string" },
    secret: true,
    required: true,
  },
};

const audio = () => ({ audioInSampleRate: sampleRate });

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
  const rtvi = createRTVI(transport);
  const { apiKey } = args.cliArgs;
  if (typeof apiKey !== "string") {
    args.session.limitDuration(5_000); // a phone never becomes ready
    await rtvi.ready;
    return rtvi.error("OPENAI_API_KEY is not set: add it to .env and restart.", { fatal: true });
  }

  const client = new OpenAI({ apiKey });
  await converse({ client, session, functions, transport, rtvi, logger: args.session.logger });
}

await main(import.meta);

import { GoogleGenAI, type LiveConnectConfig, Modality } from "@google/genai";
import { type BotOptions, createRTVI, createTransport, main, type RunnerArguments } from "pipecat-runner";
import { converse, type Functions, inputRate } from "./conversation.ts";

const model = "gemini-3.8-live";

/** All settings: https://ai.google.dev/api/live */
const config: LiveConnectConfig = {
  responseModalities: [Modality.AUDIO],
  systemInstruction: "You are a friendly assistant on a call. Answer in one or two short sentences.",
  speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: "Puck" } } },
  tools: [{ functionDeclarations: [{ name: "currentTime", description: "The time" }] }],
};

/** The functions that the model may call: the `tools` above, by name. */
const functions: Functions = {
  currentTime: () => new Date().toLocaleTimeString(),
};

export const options: BotOptions = {
  apiKey: {
    env: "GEMINI_API_KEY",
    description: "API key of Gemini, from https://aistudio.google.com/apikey",
    schema: { type: "string" },
    secret: true,
    required: true,
  },
};

const audio = () => ({ audioInSampleRate: inputRate });

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
    return rtvi.error("GEMINI_API_KEY is not set: add it to .env and restart.", { fatal: true });
  }

  const client = new GoogleGenAI({ apiKey });
  await converse({ client, model, config, functions, transport, rtvi, logger: args.session.logger });
}

await main(import.meta);

import { createOpenAI } from "@ai-sdk/openai";
import { DeepgramClient } from "@deepgram/sdk";
import { ElevenLabsClient } from "@elevenlabs/elevenlabs-js";
import { jsonSchema, tool } from "ai";
import { type BotOptions, createRTVI, createTransport, main, type RunnerArguments } from "pipecat-runner";
import { converse, type Settings } from "./conversation.ts";
import { sampleRate } from "./voice-detector.ts";

const settings: Settings = {
  instructions: "You are a friendly assistant on a call. Answer in one or two short sentences, without markup.",
  greeting: "Hello! How can I help you?",
  transcription: { model: "nova-3", language: "en", smart_format: "true" },
  chat: {
    providerOptions: { openai: { reasoningEffort: "none" } },
    /** The functions that the model may call. */
    tools: {
      currentTime: tool({
        description: "The time",
        inputSchema: jsonSchema({ type: "object", properties: {} }),
        execute: () => new Date().toLocaleTimeString(),
      }),
    },
  },
  voice: { id: "JBFqnCBsd6RMkjVDRZzb", model: "eleven_flash_v2_5" },
};

const key = (env: string, description: string) =>
  ({ env, description, schema: { type: "string" }, secret: true, required: true }) as const;
export const options: BotOptions = {
  deepgramKey: key("DEEPGRAM_API_KEY", "API key of Deepgram, from https://console.deepgram.com"),
  openaiKey: key("OPENAI_API_KEY", "API key of OpenAI, from https://platform.openai.com/api-keys"),
  elevenlabsKey: key("ELEVENLABS_API_KEY", "API key of ElevenLabs, from https://elevenlabs.io/app/developers"),
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
  const missing = Object.entries(options).find(([name]) => typeof args.cliArgs[name] !== "string");
  if (missing) {
    args.session.limitDuration(5_000); // a phone never becomes ready
    await rtvi.ready;
    return rtvi.error(`${missing[1].env} is not set: add it to .env and restart.`, { fatal: true });
  }

  const { deepgramKey = "", openaiKey = "", elevenlabsKey = "" } = args.cliArgs as Readonly<Record<string, string>>;
  const { DEEPGRAM_BASE_URL, ELEVENLABS_BASE_URL } = process.env; // for servers of your own
  const deepgram = new DeepgramClient({
    apiKey: deepgramKey,
    ...(DEEPGRAM_BASE_URL && { baseUrl: DEEPGRAM_BASE_URL }),
  });
  // Models of other vendors: https://ai-sdk.dev/providers
  const model = createOpenAI({ apiKey: openaiKey }).chat("gpt-5.4-mini");
  const elevenlabs = new ElevenLabsClient({
    apiKey: elevenlabsKey,
    ...(ELEVENLABS_BASE_URL && { baseUrl: ELEVENLABS_BASE_URL }),
  });
  await converse({ deepgram, model, elevenlabs, settings, transport, rtvi, logger: args.session.logger });
}

await main(import.meta);

import type { DeepgramClient } from "@deepgram/sdk";
import type { ElevenLabsClient } from "@elevenlabs/elevenlabs-js";
import type OpenAI from "openai";
import type { Logger, RTVI, Speech, Transport } from "pipecat-runner";
import { createVoiceDetector, sampleRate } from "./voice-detector.ts";

const voiceRate = 24_000;

/** Functions that the model may call, by name. Their results are sent as JSON. */
export type Functions = Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => unknown>>;

export interface Settings {
  readonly instructions: string;
  /** What the bot says first. */
  readonly greeting: string;
  readonly transcription: Omit<Parameters<DeepgramClient["listen"]["v1"]["connect"]>[0], "Authorization">;
  readonly chat: Omit<OpenAI.Chat.ChatCompletionCreateParamsStreaming, "messages" | "stream">;
  readonly voice: { readonly id: string; readonly model: string };
}

export interface ConversationOptions {
  readonly deepgram: DeepgramClient;
  readonly openai: OpenAI;
  readonly elevenlabs: ElevenLabsClient;
  readonly settings: Settings;
  readonly functions: Functions;
  readonly transport: Transport;
  readonly rtvi: RTVI;
  readonly logger: Logger;
}

type Message = OpenAI.Chat.ChatCompletionMessageParam;

const apology = "Sorry, something went wrong on my side. Please call again.";
/** A transcription that lasted this long has worked, so another one may follow. */
const workingMs = 60_000;

/**
 * Talks with a caller: Deepgram transcribes, OpenAI answers, ElevenLabs speaks, and a local voice detector decides whose turn
 * it is. Returns when the caller has left. If the transcription drops, connects once more. If it drops again, or another
 * service fails, apologizes and returns.
 */
export async function converse(options: ConversationOptions): Promise<void> {
  const { transport, rtvi, settings, logger } = options;
  const failed = Promise.withResolvers<"failed">();
  const answers = createAnswers(options, (err) => {
    logger.warn({ err }, "service failed");
    failed.resolve("failed");
  });
  rtvi.on("sendText", ({ content }) => void answers.answer(content));
  rtvi.on("clientMessage", ({ type }) => {
    if (type === "interrupt") transport.interrupt();
  });
  void answers.say(settings.greeting);
  for (let failures = 0; failures < 2; ) {
    const startedAt = performance.now();
    const end = await Promise.race([transcribe(options, answers), failed.promise]);
    if (end === "left") return;
    if (end === "failed") break;
    failures = performance.now() - startedAt > workingMs ? 1 : failures + 1;
    logger.warn({ failures }, "connection to Deepgram lost");
  }
  void rtvi.error("A service of the bot has failed. The runner's log has the reason.");
  transport.interrupt();
  await answers.say(apology);
}

interface Answers {
  /** Answers the caller. Interrupts the answer before. */
  answer(text: string): Promise<void>;
  /** Says a text. Resolves when the caller has heard it. */
  say(text: string): Promise<void>;
}

function createAnswers(options: ConversationOptions, fail: (err: unknown) => void): Answers {
  const { openai, elevenlabs, settings, functions, transport, logger } = options;
  const history: Message[] = [{ role: "system", content: settings.instructions }];

  /** Adds a sentence to a speech: its text appears when its audio is heard. */
  async function speak(speech: Speech, sentence: string): Promise<void> {
    if (sentence.trim() === "" || speech.signal.aborted) return;
    speech.text(sentence, { atMs: speech.writtenMs });
    const { id, model } = settings.voice;
    const request = { text: sentence, modelId: model, outputFormat: "pcm_24000" } as const;
    const audio = await elevenlabs.textToSpeech.stream(id, request, { abortSignal: speech.signal });
    for await (const pcm of audio) await speech.write(pcm, voiceRate);
  }

  /** Lets the model write, and says each sentence as soon as it is complete. Returns the functions that the model calls. */
  async function generate(speech: Speech) {
    const request = { ...settings.chat, messages: history, stream: true } as const;
    const chunks = await openai.chat.completions.create(request, { signal: speech.signal });
    const calls: { id: string; name: string; arguments: string }[] = [];
    let text = "";
    for await (const { choices } of chunks) {
      const { content, tool_calls: parts = [] } = choices[0]?.delta ?? {};
      for (const { index, id = "", function: part } of parts) {
        calls[index] ??= { id, name: part?.name ?? "", arguments: "" };
        calls[index].arguments += part?.arguments ?? "";
      }
      text += content ?? "";
      const [, sentence = ""] = text.match(/^([\s\S]*[.!?:]\s)/) ?? [];
      text = text.slice(sentence.length);
      await speak(speech, sentence);
    }
    await speak(speech, text);
    return calls;
  }

  async function callFunction({ id, name, arguments: json }: { id: string; name: string; arguments: string }) {
    let result: unknown;
    try {
      result = await functions[name]?.(JSON.parse(json || "{}"));
    } catch (err) {
      logger.warn({ err, function: name }, "function failed");
      result = { error: String(err) };
    }
    history.push({ role: "tool", tool_call_id: id, content: JSON.stringify(result ?? null) });
  }

  async function respond(speech: Speech): Promise<void> {
    for (;;) {
      const calls = await generate(speech);
      if (calls.length === 0 || speech.signal.aborted) return;
      const tool_calls = calls.map(({ id, ...call }) => ({ id, type: "function" as const, function: call }));
      history.push({ role: "assistant", tool_calls });
      for (const call of calls) await callFunction(call);
    }
  }

  /** Runs `produce` for a new speech, and remembers what the caller has heard of it. */
  async function speakAndRemember(produce: (speech: Speech) => Promise<void>): Promise<void> {
    const speech = transport.speak();
    void speech.done.then(({ heardText }) => {
      if (heardText !== "") history.push({ role: "assistant", content: heardText });
    });
    try {
      await produce(speech);
    } catch (err) {
      if (!speech.signal.aborted) fail(err);
    }
    await speech.end();
  }

  return {
    async answer(text) {
      transport.interrupt();
      await undefined; // what the caller has heard comes first
      history.push({ role: "user", content: text });
      await speakAndRemember(respond);
    },
    say: (text) => speakAndRemember((speech) => speak(speech, text)),
  };
}

/** Listens to the caller, with one connection to Deepgram. */
async function transcribe(options: ConversationOptions, { answer }: Answers): Promise<"left" | "dropped"> {
  const { deepgram, settings, transport, rtvi, logger } = options;
  const end = Promise.withResolvers<"left" | "dropped">();
  const detector = await createVoiceDetector();
  const socket = await deepgram.listen.v1.connect({
    ...settings.transcription,
    encoding: "linear16",
    sample_rate: sampleRate,
    interim_results: "true",
    reconnectAttempts: 0,
  });
  /** What the caller has said in this turn. */
  let said = "";
  /** Whether the turn is over, so that the next final result completes it. */
  let stopped = false;

  socket.on("message", (message) => {
    if (message.type !== "Results") return;
    const text = `${said} ${message.channel.alternatives[0]?.transcript ?? ""}`.trim();
    if (message.is_final) said = text;
    const isComplete = message.is_final === true && stopped;
    if (text !== "") void rtvi.userTranscription({ text, final: isComplete });
    if (!isComplete) return;
    stopped = false;
    said = "";
    if (text !== "") void answer(text);
  });
  socket.on("error", (err) => logger.warn({ err }, "error of Deepgram"));
  socket.on("close", () => end.resolve("dropped"));

  void transport.closed.then(() => end.resolve("left"));

  async function listen(): Promise<void> {
    const microphone = transport.listen();
    await socket.waitForOpen();
    for await (const { samples } of microphone) {
      if (socket.readyState !== 1) return;
      socket.sendMedia(samples);
      const change = await detector.push(samples);
      if (change === "started") {
        transport.interrupt();
        stopped = false;
        void rtvi.userStartedSpeaking();
      } else if (change === "stopped") {
        stopped = true;
        socket.sendFinalize({ type: "Finalize" });
        void rtvi.userStoppedSpeaking();
      }
    }
  }

  socket.connect();
  listen().catch((err) => {
    logger.warn({ err }, "not connected to Deepgram");
    end.resolve("dropped");
  });
  const how = await end.promise;
  socket.close();
  detector.close();
  return how;
}

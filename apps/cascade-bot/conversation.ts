import type { DeepgramClient } from "@deepgram/sdk";
import type { ElevenLabsClient } from "@elevenlabs/elevenlabs-js";
import { isStepCount, type LanguageModel, type ModelMessage, streamText } from "ai";
import type { Logger, RTVI, Speech, Transport } from "pipecat-runner";
import { createVoiceDetector, sampleRate } from "./voice-detector.ts";

const voiceRate = 24_000;

export interface Settings {
  readonly instructions: string;
  /** What the bot says first. */
  readonly greeting: string;
  readonly transcription: Omit<Parameters<DeepgramClient["listen"]["v1"]["connect"]>[0], "Authorization">;
  readonly chat: Pick<Parameters<typeof streamText>[0], "tools" | "providerOptions">;
  readonly voice: { readonly id: string; readonly model: string };
}

export interface ConversationOptions {
  readonly deepgram: DeepgramClient;
  readonly model: LanguageModel;
  readonly elevenlabs: ElevenLabsClient;
  readonly settings: Settings;
  readonly transport: Transport;
  readonly rtvi: RTVI;
  readonly logger: Logger;
}

const apology = "Sorry, something went wrong on my side. Please call again.";
/** How often the model may write for one answer: once more after each round of function calls. */
const maxSteps = 5;
/** A transcription that lasted this long has worked, so another one may follow. */
const workingMs = 60_000;
/** Deepgram closes a connection that gets neither audio nor `KeepAlive` for 10 s. */
const keepAliveMs = 4_000;
/** How long a turn waits for the result of `Finalize`. Deepgram does not always send one. */
const finalizeMs = 600;
/** How long ElevenLabs may take to send the next piece of a sentence. */
const speechTimeoutMs = 5_000;

/**
 * Talks with a caller: Deepgram transcribes, a language model answers, ElevenLabs speaks, and a local voice detector decides whose turn
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
  const removeListeners = [
    rtvi.on("sendText", ({ content }) => void answers.answer(content)),
    rtvi.on("clientMessage", ({ type }) => {
      if (type === "interrupt") transport.interrupt();
    }),
  ];
  void answers.say(settings.greeting);
  for (let failures = 0; failures < 2; ) {
    const startedAt = performance.now();
    const end = await transcribe(options, answers, failed.promise);
    if (end === "left") return;
    if (end === "failed") break;
    failures = performance.now() - startedAt > workingMs ? 1 : failures + 1;
    logger.warn({ failures }, "connection to Deepgram lost");
  }
  // Nothing may interrupt the apology.
  for (const remove of removeListeners) remove();
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
  const { model, elevenlabs, settings, transport, logger } = options;
  const history: ModelMessage[] = [];

  /** Adds a sentence to a speech: its text appears when its audio is heard. */
  async function speak(speech: Speech, sentence: string): Promise<void> {
    if (sentence.trim() === "" || speech.signal.aborted) return;
    speech.text(sentence, { atMs: speech.writtenMs });
    const { id, model } = settings.voice;
    const request = { text: sentence, modelId: model, outputFormat: "pcm_24000" } as const;
    const stalled = new AbortController();
    const wait = () => setTimeout(() => stalled.abort(new Error("ElevenLabs does not send audio.")), speechTimeoutMs);
    let timer = wait();
    try {
      const abortSignal = AbortSignal.any([speech.signal, stalled.signal]);
      for await (const pcm of await elevenlabs.textToSpeech.stream(id, request, { abortSignal })) {
        clearTimeout(timer);
        await speech.write(pcm, voiceRate);
        timer = wait();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets the model write and call functions, and says each sentence as soon as it is complete. */
  async function respond(speech: Speech): Promise<void> {
    let calls = 0;
    const { stream } = streamText({
      ...settings.chat,
      model,
      instructions: settings.instructions,
      messages: [...history],
      abortSignal: speech.signal,
      stopWhen: isStepCount(maxSteps),
      prepareStep({ responseMessages }) {
        history.push(...responseMessages.slice(calls).map(withoutText));
        calls = responseMessages.length;
        return undefined;
      },
      onError: () => undefined, // the stream has the error
    });
    let text = "";
    for await (const part of stream) {
      if (part.type === "error") throw part.error;
      if (part.type === "tool-error") logger.warn({ err: part.error, function: part.toolName }, "function failed");
      if (part.type !== "text-delta") continue;
      text += part.text;
      const [, sentence = ""] = text.match(/^([\s\S]*[.!?:]\s)/) ?? [];
      text = text.slice(sentence.length);
      await speak(speech, sentence);
    }
    await speak(speech, text);
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

/** Listens to the caller with one connection to Deepgram, until it drops, the caller leaves, or a service has `failed`. */
async function transcribe(options: ConversationOptions, { answer }: Answers, failed: Promise<"failed">) {
  const { deepgram, settings, transport, rtvi, logger } = options;
  const end = Promise.withResolvers<"left" | "dropped" | "failed">();
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
  /** Whether the caller has stopped speaking, so that the result of `Finalize` completes the turn. */
  let stopped = false;
  /** Completes the turn without a result of `Finalize`. */
  let fallback: NodeJS.Timeout | undefined;

  function waitForFinalize(): void {
    clearTimeout(fallback);
    fallback = setTimeout(() => {
      if (said !== "") completeTurn();
    }, finalizeMs);
  }

  function completeTurn(): void {
    clearTimeout(fallback);
    const text = said;
    stopped = false;
    said = "";
    if (text === "") return;
    void rtvi.userTranscription({ text, final: true });
    void answer(text);
  }

  socket.on("message", (message) => {
    if (message.type !== "Results") return;
    const text = `${said} ${message.channel.alternatives[0]?.transcript ?? ""}`.trim();
    if (message.is_final) said = text;
    if (stopped && message.is_final && message.from_finalize) return completeTurn();
    if (text !== "") void rtvi.userTranscription({ text, final: false });
    if (stopped && message.is_final) waitForFinalize();
  });
  socket.on("error", (err) => logger.warn({ err }, "error of Deepgram"));
  socket.on("close", () => end.resolve("dropped"));
  const keepAlive = setInterval(() => {
    if (socket.readyState === 1) socket.sendKeepAlive({ type: "KeepAlive" });
  }, keepAliveMs);

  void transport.closed.then(() => end.resolve("left"));
  void failed.then(end.resolve);

  async function listen(): Promise<void> {
    for await (const { samples } of microphone) {
      if (socket.readyState !== 1) return;
      socket.sendMedia(samples);
      const change = await detector.push(samples);
      if (change === "started") {
        transport.interrupt();
        stopped = false;
        clearTimeout(fallback);
        void rtvi.userStartedSpeaking();
      } else if (change === "stopped") {
        stopped = true;
        if (socket.readyState === 1) socket.sendFinalize({ type: "Finalize" });
        waitForFinalize();
        void rtvi.userStoppedSpeaking();
      }
    }
  }

  const microphone = transport.listen();
  socket.on("open", () => {
    listen().catch((err) => {
      logger.warn({ err }, "voice detector failed");
      end.resolve("dropped");
    });
  });
  socket.connect();
  const how = await end.promise;
  clearInterval(keepAlive);
  clearTimeout(fallback);
  if (how === "dropped") completeTurn();
  socket.close();
  detector.close();
  return how;
}

/** A message about function calls without the model's words, which are remembered when the caller has heard them. */
function withoutText(message: ModelMessage): ModelMessage {
  if (message.role !== "assistant" || typeof message.content === "string") return message;
  return { ...message, content: message.content.filter(({ type }) => type !== "text") };
}

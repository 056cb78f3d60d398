import { setTimeout as sleep } from "node:timers/promises";
import {
  type FunctionCall,
  type GoogleGenAI,
  type LiveConnectConfig,
  type LiveServerContent,
  type LiveServerMessage,
  Modality,
} from "@google/genai";
import type { Logger, RTVI, Speech, Transport } from "pipecat-runner";

/** Gemini Live takes PCM at this rate, in Hz. */
export const inputRate = 16_000;
const outputRate = 24_000;

/** Functions that the model may call, by name. Their results are sent as JSON. */
export type Functions = Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => unknown>>;

export interface ConversationOptions {
  readonly client: GoogleGenAI;
  readonly model: string;
  readonly config: LiveConnectConfig;
  readonly functions: Functions;
  readonly transport: Transport;
  readonly rtvi: RTVI;
  readonly logger: Logger;
}

const greeting = "The caller is here. Greet them.";
const apology = "Sorry, I have lost my connection. Please call again.";
/** A connection that lasted this long has worked, so another one may follow. Gemini itself ends connections after some minutes. */
const workingMs = 60_000;
/** How long Gemini may take to accept a connection. */
const connectTimeoutMs = 10_000;
/** How long Gemini may take to speak the apology. */
const apologyTimeoutMs = 5_000;
/** Audio of an interrupted turn that arrives later than this belongs to the next turn, even if the end of the turn is missing. */
const lateMs = 500;

/**
 * Connects a caller to Gemini Live until the caller leaves. If the connection drops, connects once more and resumes the
 * session. If it drops again, apologizes and returns.
 */
export async function converse(options: ConversationOptions): Promise<void> {
  const { client, transport, rtvi, logger } = options;
  const resumption: { handle?: string } = {};
  for (let failures = 0; failures < 2; ) {
    const startedAt = performance.now();
    if (await connect(options, resumption)) return;
    failures = performance.now() - startedAt > workingMs ? 1 : failures + 1;
  }
  void rtvi.error("The bot has lost its connection to Gemini. The runner's log has the reason.");
  const speech = transport.speak();
  speech.text(apology);
  try {
    const { data } = await client.models.generateContent({
      model: "gemini-3.8-flash-tts",
      contents: apology,
      config: {
        responseModalities: [Modality.AUDIO],
        abortSignal: speech.signal,
        httpOptions: { timeout: apologyTimeoutMs },
      },
    });
    await speech.write(Buffer.from(data ?? "", "base64"), outputRate);
  } catch (err) {
    logger.warn({ err }, "the apology has no audio");
  }
  await speech.end();
}

/** One connection. Resolves when it ends, with whether the caller has left. */
async function connect(options: ConversationOptions, resumption: { handle?: string }): Promise<boolean> {
  const { client, model, config, functions, transport, rtvi, logger } = options;
  const closed = Promise.withResolvers<false>();
  const microphone = transport.listen();
  /** The speech of the model's turn. An interrupted speech drops the audio that arrives late. */
  let speech: Speech | undefined;
  /** When Gemini interrupted the turn. Gemini completes a turn that only the application has interrupted. */
  let interruptedAt = Number.POSITIVE_INFINITY;
  /** What the caller says, so far. */
  let heard = "";
  /** Whether the caller has left; `undefined` while the connection is in use. */
  let left: boolean | undefined;

  function beginTurn(): void {
    speech = undefined;
    interruptedAt = Number.POSITIVE_INFINITY;
  }

  function hear({
    modelTurn,
    inputTranscription,
    outputTranscription,
    interrupted,
    turnComplete,
  }: LiveServerContent): void {
    if (interrupted) {
      transport.interrupt();
      if (speech) interruptedAt = performance.now();
    }
    if (inputTranscription?.text) {
      heard += inputTranscription.text;
      void rtvi.userTranscription({ text: heard, final: false });
    }
    if (performance.now() - interruptedAt > lateMs) beginTurn();
    for (const { inlineData } of modelTurn?.parts ?? []) {
      if (!inlineData?.data) continue;
      if (heard !== "") void rtvi.userTranscription({ text: heard, final: true });
      heard = "";
      speech ??= transport.speak();
      void speech.write(Buffer.from(inlineData.data, "base64"), outputRate);
    }
    if (outputTranscription?.text) {
      speech ??= transport.speak();
      speech.text(outputTranscription.text);
    }
    if (!turnComplete) return;
    void speech?.end();
    beginTurn();
  }

  async function callFunction({ id = "", name = "", args = {} }: FunctionCall) {
    try {
      const call = functions[name];
      if (!call) throw new Error(`The function "${name}" does not exist.`);
      const output = (await call(args)) ?? null;
      JSON.stringify(output); // throws here if the SDK cannot send it
      return { id, name, response: { output } };
    } catch (err) {
      logger.warn({ err, function: name }, "function failed");
      return { id, name, response: { error: String(err) } };
    }
  }

  async function receive({
    serverContent,
    toolCall,
    sessionResumptionUpdate: update,
  }: LiveServerMessage): Promise<void> {
    if (update?.resumable && update.newHandle) resumption.handle = update.newHandle;
    if (serverContent) hear(serverContent);
    if (!toolCall) return;
    const functionResponses = await Promise.all((toolCall.functionCalls ?? []).map(callFunction));
    (await connecting).sendToolResponse({ functionResponses });
  }

  const resumes = resumption.handle !== undefined;
  const connecting = client.live.connect({
    model,
    config: {
      ...config,
      inputAudioTranscription: {},
      outputAudioTranscription: {},
      sessionResumption: { ...resumption },
    },
    callbacks: {
      onmessage: (message) => void receive(message),
      onclose({ code, reason }) {
        if (left === undefined) logger.warn({ code, reason }, "connection to Gemini lost");
        closed.resolve(false);
      },
    },
  });
  const session = await Promise.race([
    connecting.catch((err: unknown) => {
      logger.warn({ err }, "not connected to Gemini");
      return "failed" as const;
    }),
    sleep(connectTimeoutMs, "timeout" as const, { ref: false }),
    transport.closed.then(() => "left" as const),
  ]);
  if (typeof session === "string") {
    if (session === "timeout") logger.warn({ connectTimeoutMs }, "Gemini did not answer");
    left = session === "left";
    // A session that arrives late is closed.
    void connecting.then((late) => late.close()).catch(() => undefined);
    return left;
  }
  if (!resumes) session.sendRealtimeInput({ text: greeting });

  const removeListeners = [
    rtvi.on("sendText", ({ content }) => {
      transport.interrupt();
      session.sendRealtimeInput({ text: content });
    }),
    rtvi.on("clientMessage", ({ type }) => {
      if (type === "interrupt") transport.interrupt();
    }),
  ];
  void (async () => {
    for await (const { samples } of microphone) {
      if (left !== undefined) break;
      const pcm = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
      session.sendRealtimeInput({ audio: { data: pcm.toString("base64"), mimeType: `audio/pcm;rate=${inputRate}` } });
    }
  })();

  left = await Promise.race([closed.promise, transport.closed.then(() => true)]);
  for (const remove of removeListeners) remove();
  if (left) session.close();
  else transport.interrupt(); // The next connection begins with what the caller has heard.
  return left;
}

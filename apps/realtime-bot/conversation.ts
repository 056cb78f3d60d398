import type OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import type { ConversationItem, RealtimeSessionCreateRequest } from "openai/resources/realtime/realtime";
import type { Logger, RTVI, Speech, SpeechEnd, Transport } from "pipecat-runner";

/** OpenAI Realtime takes and returns PCM at this rate, in Hz. */
export const sampleRate = 24_000;

/** Functions that the model may call, by name. Their results are sent as JSON. */
export type Functions = Readonly<Record<string, (args: Readonly<Record<string, unknown>>) => unknown>>;

export interface ConversationOptions {
  readonly client: OpenAI;
  readonly session: RealtimeSessionCreateRequest;
  readonly functions: Functions;
  readonly transport: Transport;
  readonly rtvi: RTVI;
  readonly logger: Logger;
}

const apology = "Sorry, I have lost my connection. Please call again.";
/** A connection that lasted this long has worked, so another one may follow. OpenAI itself ends connections after an hour. */
const workingMs = 60_000;
/** How long OpenAI may take to accept a connection. */
const connectTimeoutMs = 10_000;
/** How long OpenAI may take to send the audio of the apology. */
const apologyTimeoutMs = 5_000;

/**
 * Connects a caller to OpenAI Realtime until the caller leaves. If the connection drops, connects once more and continues the
 * conversation. If it drops again, apologizes and returns.
 */
export async function converse(options: ConversationOptions): Promise<void> {
  const { client, transport, rtvi, logger } = options;
  const history: ConversationItem[] = [];
  for (let failures = 0; failures < 2; ) {
    const startedAt = performance.now();
    if (await connect(options, history)) return;
    failures = performance.now() - startedAt > workingMs ? 1 : failures + 1;
    logger.warn({ failures }, "connection to OpenAI lost");
  }
  void rtvi.error("The bot has lost its connection to OpenAI. The runner's log has the reason.");
  const speech = transport.speak();
  speech.text(apology);
  try {
    const request = { model: "gpt-4o-mini-tts", voice: "marin", input: apology, response_format: "pcm" } as const;
    const signal = AbortSignal.any([speech.signal, AbortSignal.timeout(apologyTimeoutMs)]);
    const response = await client.audio.speech.create(request, { signal, maxRetries: 0 });
    await speech.write(Buffer.from(await response.arrayBuffer()), sampleRate);
  } catch (err) {
    logger.warn({ err }, "the apology has no audio");
  }
  await speech.end();
}

/** One connection. Resolves when it ends, with whether the caller has left. */
async function connect(options: ConversationOptions, history: ConversationItem[]): Promise<boolean> {
  const { client, session, functions, transport, rtvi, logger } = options;
  const openai = new OpenAIRealtimeWS(
    { model: session.model ?? "gpt-realtime", options: { handshakeTimeout: connectTimeoutMs } },
    client,
  );
  const microphone = transport.listen();
  /** The speech of each response that is not complete. An interrupted speech drops the audio that arrives late. */
  const speeches = new Map<string, Speech>();
  /** Whether the bot has requested a response that has not begun. */
  let requested = false;
  /** Whether the model must respond again when the current response is complete. */
  let responds = false;

  /** Asks for a response. OpenAI rejects a second one at the same time. */
  function respond(): void {
    responds = requested || speeches.size > 0;
    if (responds) return;
    requested = true;
    openai.send({ type: "response.create" });
  }

  function interrupt(): void {
    transport.interrupt();
    if (speeches.size > 0) openai.send({ type: "response.cancel" });
  }

  /** Tells the model how much of its message the caller has heard. */
  function report(item_id: string, { interrupted, playedMs, heardText }: SpeechEnd): void {
    if (heardText !== "") history.push(message("assistant", heardText));
    if (!interrupted) return;
    const audio_end_ms = Math.floor(playedMs);
    if (audio_end_ms === 0) openai.send({ type: "conversation.item.delete", item_id });
    else openai.send({ type: "conversation.item.truncate", item_id, content_index: 0, audio_end_ms });
  }

  async function callFunction({ name = "", arguments: json = "{}", call_id = "" }): Promise<void> {
    let output: string;
    try {
      const call = functions[name];
      if (!call) throw new Error(`The function "${name}" does not exist.`);
      output = JSON.stringify((await call(JSON.parse(json))) ?? null);
    } catch (err) {
      logger.warn({ err, function: name }, "function failed");
      output = JSON.stringify({ error: String(err) });
    }
    openai.send({ type: "conversation.item.create", item: { type: "function_call_output", call_id, output } });
  }

  openai.socket.once("open", async () => {
    openai.send({ type: "session.update", session });
    for (const item of history) openai.send({ type: "conversation.item.create", item });
    respond();
    for await (const { samples } of microphone) {
      if (openai.socket.readyState !== openai.socket.OPEN) break;
      const pcm = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
      openai.send({ type: "input_audio_buffer.append", audio: pcm.toString("base64") });
    }
  });
  openai.on("error", (err) => {
    logger.warn({ err }, "error of OpenAI");
    requested = false;
    if (err.error?.code === "conversation_already_has_active_response") responds = true;
  });

  // The caller speaks.
  openai.on("input_audio_buffer.speech_started", () => {
    transport.interrupt();
    void rtvi.userStartedSpeaking();
  });
  openai.on("input_audio_buffer.speech_stopped", () => void rtvi.userStoppedSpeaking());
  openai.on("conversation.item.input_audio_transcription.completed", ({ transcript: text }) => {
    history.push(message("user", text));
    void rtvi.userTranscription({ text, final: true });
  });

  // The bot speaks.
  openai.on("response.created", ({ response: { id = "" } }) => {
    requested = false;
    speeches.set(id, transport.speak());
    if (responds) interrupt(); // the caller has said more since
  });
  openai.on("response.output_item.added", ({ response_id, item }) => {
    if (item.type === "message") void speeches.get(response_id)?.done.then((end) => report(item.id ?? "", end));
  });
  openai.on("response.output_audio_transcript.delta", ({ response_id, delta }) =>
    speeches.get(response_id)?.text(delta),
  );
  openai.on("response.output_audio.delta", ({ response_id, delta }) => {
    void speeches.get(response_id)?.write(Buffer.from(delta, "base64"), sampleRate);
  });
  openai.on("response.done", async ({ response: { id = "", status, status_details: details, output = [] } }) => {
    void speeches.get(id)?.end();
    speeches.delete(id);
    if (status === "failed") {
      logger.warn({ details }, "OpenAI did not respond");
      void rtvi.error(`OpenAI did not respond: ${details?.error?.code ?? details?.error?.type ?? "unknown reason"}.`);
    }
    const calls = status === "completed" ? output.filter((item) => item.type === "function_call") : [];
    await Promise.all(calls.map(callFunction));
    if (responds || calls.length > 0) respond();
  });

  // The caller's application.
  const removeListeners = [
    rtvi.on("sendText", ({ content, runImmediately }) => {
      const item = message("user", content);
      history.push(item);
      if (openai.socket.readyState !== openai.socket.OPEN) return; // It is sent when the connection opens.
      openai.send({ type: "conversation.item.create", item });
      if (!runImmediately) return;
      interrupt();
      respond();
    }),
    rtvi.on("clientMessage", ({ type }) => {
      if (type === "interrupt") interrupt();
    }),
  ];

  const left = await Promise.race([
    new Promise<boolean>((resolve) => openai.socket.once("close", () => resolve(false))),
    transport.closed.then(() => true),
  ]);
  for (const remove of removeListeners) remove();
  if (!left) transport.interrupt(); // The next connection begins with what the caller has heard.
  openai.close();
  return left;
}

function message(role: "user" | "assistant", text: string): ConversationItem {
  return role === "user"
    ? { type: "message", role, content: [{ type: "input_text", text }] }
    : { type: "message", role, content: [{ type: "output_text", text }] };
}

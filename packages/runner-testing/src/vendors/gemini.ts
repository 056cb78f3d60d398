import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, cut, decodePcm16, encodePcm16, silence } from "@pipecat-ts/audio";
import { type WebSocket, WebSocketServer } from "ws";
import { startLocalServer, untilResponsive } from "./local-server.ts";
import { createSpeechDetector } from "./speech-detector.ts";

/** What the simulated model does in one turn. */
export type GeminiReply =
  | { readonly speech: AudioFrame; readonly transcript: string }
  | { readonly functionCall: { readonly name: string; readonly args: Readonly<Record<string, unknown>> } };

/** How the simulated vendor behaves. */
export interface FakeGeminiOptions {
  /** The model's next turn. `inputs` has what the caller said and typed, and the results of functions as JSON. Speech is mono at 24,000 Hz. */
  reply(inputs: readonly string[]): GeminiReply;
  /** The text of the caller's utterance `index`, from 0. Default `utterance {index}`. */
  transcribe?(index: number): string;
  /** The speech of `generateContent`, mono at 24,000 Hz. Default: 300 ms of silence. */
  synthesize?(text: string): AudioFrame;
  /** Whether an interrupted turn ends with `turnComplete`, as documented. Default true. */
  readonly completesInterrupted?: boolean;
}

/** One WebSocket of a client. */
export interface FakeLiveSession {
  /** The client's `setup`. */
  readonly setup: Readonly<Record<string, unknown>>;
  /** What the caller said and typed, and the results of functions as JSON, oldest first. */
  readonly inputs: readonly string[];
  /** How much audio the client sent, in ms. */
  readonly heardMs: number;
  readonly isOpen: boolean;
  /** Ends the connection as a network failure does. */
  drop(): void;
}

/** The simulated vendor. */
export interface FakeGemini {
  /** Variables for the bot: the address of this server, and a key that it accepts. */
  readonly env: { readonly GOOGLE_GEMINI_BASE_URL: string; readonly GEMINI_API_KEY: string };
  readonly sessions: readonly FakeLiveSession[];
  /** The texts that `generateContent` was asked to say. */
  readonly spoken: readonly string[];
  /** Whether new connections are refused with 503. Default false. */
  unavailable: boolean;
  /** Whether new connections and requests wait for an answer. Default false. */
  unresponsive: boolean;
  close(): Promise<void>;
}

const inputRate = 16_000;
const outputRate = 24_000;
const apiKey = "key-of-a-simulated-account";
/** Audio per message, and the time between two messages: ten times as fast as speech. */
const chunkMs = 100;
const chunkEveryMs = 10;
/** Messages that are on their way when a turn is interrupted. */
const lateChunks = 3;

/**
 * Starts a server that speaks the Gemini Live API as its public reference and SDK describe it, for tests through Google's own
 * SDK: setup, voice detection, transcription of both sides, turns with audio faster than real time, interruption with late
 * audio, function calls, session resumption, and speech by `generateContent`. Transcription and session resumption require their
 * fields in `setup`. It closes with 1007 for a wrong key, and for a message before `setup`.
 */
export async function startFakeGemini(options: FakeGeminiOptions): Promise<FakeGemini> {
  const { synthesize = () => silence({ durationMs: 300, sampleRate: outputRate }) } = options;
  const sessions: FakeLiveSession[] = [];
  const spoken: string[] = [];
  const state = { unavailable: false, unresponsive: false };

  const local = await startLocalServer(async (request, response) => {
    const body = (await request.setEncoding("utf8").toArray()).join("");
    await untilResponsive(state);
    if (state.unavailable) return respond(response, 503, {});
    if (request.headers["x-goog-api-key"] !== apiKey) return respond(response, 400, {});
    if (!request.url?.endsWith(":generateContent")) return respond(response, 404, {});
    const { contents } = JSON.parse(body);
    const text = String(contents[0].parts[0].text);
    spoken.push(text);
    const data = base64(synthesize(text));
    const parts = [{ inlineData: { mimeType: `audio/L16;codec=pcm;rate=${outputRate}`, data } }];
    respond(response, 200, { candidates: [{ content: { role: "model", parts } }] });
  });
  const webSockets = new WebSocketServer({
    server: local.server,
    verifyClient: (_info, done) => void untilResponsive(state).then(() => done(!state.unavailable, 503)),
  });
  webSockets.on("connection", (socket, { url = "" }) => {
    socket.on("error", () => undefined); // "close" follows
    const { pathname, searchParams } = new URL(url, "ws://localhost");
    if (!pathname.endsWith(".GenerativeService.BidiGenerateContent")) socket.close(1008, "unknown method");
    else if (searchParams.get("key") === apiKey) sessions.push(converse(socket, options));
    else socket.close(1007, "API key not valid. Please pass a valid API key.");
  });

  const env = { GOOGLE_GEMINI_BASE_URL: local.origin, GEMINI_API_KEY: apiKey };
  const close = (): Promise<void> => {
    state.unresponsive = false;
    return local.close();
  };
  return Object.assign(state, { env, sessions, spoken, close });
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function base64({ samples }: AudioFrame): string {
  return Buffer.from(encodePcm16(samples)).toString("base64");
}

/** The client's messages. */
interface ClientMessage {
  readonly setup?: Readonly<Record<string, unknown>>;
  readonly realtimeInput?: { readonly audio?: { readonly data: string }; readonly text?: string };
  readonly toolResponse?: { readonly functionResponses: readonly { readonly response: unknown }[] };
}

function converse(socket: WebSocket, options: FakeGeminiOptions): FakeLiveSession {
  const { reply, transcribe, completesInterrupted = true } = options;
  const inputs: string[] = [];
  const closed = new AbortController();
  const detector = createSpeechDetector(500);
  let setup: Readonly<Record<string, unknown>> | undefined;
  let turn: { interrupted: boolean; readonly done: Promise<void> } | undefined;
  let utterances = 0;
  let handles = 0;

  // The vendor sends JSON in binary messages.
  const send = (message: object): void => {
    if (socket.readyState === socket.OPEN) socket.send(Buffer.from(JSON.stringify(message)));
  };

  async function respondTo(input: string): Promise<void> {
    inputs.push(input);
    while (turn) {
      interrupt();
      await turn.done;
    }
    const next = { interrupted: false, done: Promise.resolve() };
    turn = next;
    next.done = generate(next, reply(inputs))
      .catch(() => undefined) // the socket is closed
      .finally(() => {
        turn = undefined;
      });
  }

  function interrupt(): void {
    if (!turn || turn.interrupted) return;
    turn.interrupted = true;
    send({ serverContent: { interrupted: true } });
  }

  async function generate(own: { readonly interrupted: boolean }, answer: GeminiReply): Promise<void> {
    if ("functionCall" in answer) {
      send({ toolCall: { functionCalls: [{ id: `call-${inputs.length}`, ...answer.functionCall }] } });
      return;
    }
    const chunks = cut(answer.speech, chunkMs);
    const perChunk = answer.transcript.length / chunks.length;
    let late = 0;
    for (const [index, chunk] of chunks.entries()) {
      if (own.interrupted && ++late > lateChunks) break;
      const inlineData = { mimeType: `audio/pcm;rate=${outputRate}`, data: base64(chunk) };
      send({ serverContent: { modelTurn: { role: "model", parts: [{ inlineData }] } } });
      const text = answer.transcript.slice(Math.round(index * perChunk), Math.round((index + 1) * perChunk));
      if (text !== "" && setup?.outputAudioTranscription) send({ serverContent: { outputTranscription: { text } } });
      await sleep(chunkEveryMs, undefined, { signal: closed.signal });
    }
    if (!own.interrupted) send({ serverContent: { generationComplete: true } });
    if (!own.interrupted || completesInterrupted) send({ serverContent: { turnComplete: true } });
    if (setup?.sessionResumption) {
      send({ sessionResumptionUpdate: { newHandle: `handle-${++handles}`, resumable: true } });
    }
  }

  function hear(data: string): void {
    const samples = decodePcm16(Buffer.from(data, "base64"));
    const change = detector.push({ samples, sampleRate: inputRate, channels: 1 });
    if (change === "started") interrupt();
    if (change !== "stopped") return;
    const text = transcribe?.(utterances) ?? `utterance ${utterances}`;
    utterances++;
    const half = text.length >> 1;
    const parts = setup?.inputAudioTranscription ? [text.slice(0, half), text.slice(half)] : [];
    for (const part of parts) send({ serverContent: { inputTranscription: { text: part } } });
    void respondTo(text);
  }

  socket.on("message", (data) => {
    const { setup: settings, realtimeInput, toolResponse } = JSON.parse(String(data)) as ClientMessage;
    if (settings) {
      setup = settings;
      send({ setupComplete: {} });
    }
    if (!setup) return socket.close(1007, "Request contains an invalid argument.");
    if (realtimeInput?.audio) hear(realtimeInput.audio.data);
    if (realtimeInput?.text !== undefined) void respondTo(realtimeInput.text);
    if (toolResponse) void respondTo(JSON.stringify(toolResponse.functionResponses.map(({ response }) => response)));
  });
  socket.once("close", () => closed.abort());

  return {
    get setup() {
      return setup ?? {};
    },
    inputs,
    get heardMs() {
      return detector.positionMs;
    },
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    drop: () => socket.terminate(),
  };
}

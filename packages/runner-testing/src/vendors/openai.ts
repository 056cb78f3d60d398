import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, cut, decodePcm16, durationMs, encodePcm16, silence } from "@pipecat-ts/audio";
import { type WebSocket, WebSocketServer } from "ws";
import { startTlsServer, untilResponsive } from "./local-server.ts";
import { createSpeechDetector } from "./speech-detector.ts";

/** What the simulated model does in one response. */
export type OpenAIReply =
  | { readonly speech: AudioFrame; readonly transcript: string }
  | { readonly functionCall: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> } }
  /** The response fails with this code, such as `insufficient_quota`. */
  | { readonly failure: string };

/** How the simulated vendor behaves. */
export interface FakeOpenAIOptions {
  /** The model's response to a conversation. Its speech is mono at 24,000 Hz. */
  reply(conversation: readonly OpenAIItem[]): OpenAIReply;
  /** The text of the caller's utterance `index`, from 0. Default `utterance {index}`. */
  transcribe?(index: number): string;
  /** The speech of `POST /audio/speech`, mono at 24,000 Hz. Default: 300 ms of silence. */
  synthesize?(text: string): AudioFrame;
}

/** An item of the conversation, as the model knows it. */
export interface OpenAIItem {
  readonly id: string;
  readonly type: "message" | "function_call" | "function_call_output";
  readonly role?: string;
  /** The text, the transcript, the arguments or the output. Cut when the item is truncated. */
  readonly text: string;
  /** The audio that the item has, in ms. Shorter when the item is truncated. */
  readonly audioMs?: number;
  /** Whether a client cut it. */
  readonly truncated?: boolean;
}

/** A message of the protocol. */
export interface OpenAIEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** One WebSocket of a client. */
export interface FakeRealtimeSession {
  /** The client's events without its audio, oldest first. */
  readonly received: readonly OpenAIEvent[];
  /** The errors that it was sent. */
  readonly errors: readonly string[];
  readonly conversation: readonly OpenAIItem[];
  /** How much audio the client sent, in ms. */
  readonly heardMs: number;
  readonly isOpen: boolean;
  /** Sends an event. */
  send(event: OpenAIEvent): void;
  /** Ends the connection as a network failure does. */
  drop(): void;
}

/** The simulated vendor. */
export interface FakeOpenAI {
  /** Variables for the bot: the address of this server, and a key that it accepts. */
  readonly env: { readonly OPENAI_BASE_URL: string; readonly OPENAI_API_KEY: string };
  /** The server's certificate as PEM, for a bot in another process: see `NODE_EXTRA_CA_CERTS`. */
  readonly certificate: string;
  readonly sessions: readonly FakeRealtimeSession[];
  /** The texts that `POST /audio/speech` was asked to say. */
  readonly spoken: readonly string[];
  /** Whether new connections are refused with 503. Default false. */
  unavailable: boolean;
  /** Whether new connections and requests wait for an answer. Default false. */
  unresponsive: boolean;
  close(): Promise<void>;
}

const sampleRate = 24_000;
const apiKey = "sk-of-a-simulated-account";
/** Audio per delta, and the time between two deltas: ten times as fast as speech. */
const deltaMs = 100;
const deltaEveryMs = 10;
/** Deltas that are on their way when a response is cancelled. */
const lateDeltas = 3;

/**
 * Starts a server that speaks the OpenAI Realtime API as its public reference and SDK describe it, for tests through OpenAI's
 * own SDK: session updates, voice detection, transcription, responses with audio faster than real time, cancellation with
 * late deltas, truncation, function calls, and `POST /audio/speech`. It rejects what the vendor is known to reject: wrong keys
 * (close code 3000), truncation beyond the audio or without audio, and a second response at the same time.
 */
export async function startFakeOpenAI(options: FakeOpenAIOptions): Promise<FakeOpenAI> {
  const { synthesize = () => silence({ durationMs: 300, sampleRate }) } = options;
  const sessions: FakeRealtimeSession[] = [];
  const spoken: string[] = [];
  const state = { unavailable: false, unresponsive: false };

  const local = await startTlsServer(async (request, response) => {
    if (request.method !== "POST" || request.url !== "/v1/audio/speech") return respond(response, 404);
    const body = (await request.setEncoding("utf8").toArray()).join("");
    await untilResponsive(state);
    if (state.unavailable) return respond(response, 503);
    if (!hasKey(request)) return respond(response, 401);
    const { input, response_format: format } = JSON.parse(body);
    if (format !== "pcm") return respond(response, 400);
    spoken.push(input);
    response.writeHead(200, { "content-type": "audio/pcm" }).end(encodePcm16(synthesize(input).samples));
  });
  const webSockets = new WebSocketServer({
    server: local.server,
    path: "/v1/realtime",
    verifyClient: (_info, done) => void untilResponsive(state).then(() => done(!state.unavailable, 503)),
  });
  webSockets.on("connection", (socket, request) => {
    socket.on("error", () => undefined); // "close" follows
    if (hasKey(request)) sessions.push(converse(socket, options));
    else {
      const error = { type: "invalid_request_error", code: "invalid_api_key", message: "Incorrect API key provided." };
      socket.send(JSON.stringify({ type: "error", event_id: "event_0", error }));
      socket.close(3000, "invalid_request_error.invalid_api_key");
    }
  });

  const env = { OPENAI_BASE_URL: `${local.origin}/v1`, OPENAI_API_KEY: apiKey };
  const close = (): Promise<void> => {
    state.unresponsive = false;
    return local.close();
  };
  return Object.assign(state, { env, certificate: local.certificate, sessions, spoken, close });
}

function hasKey({ headers }: IncomingMessage): boolean {
  return headers.authorization === `Bearer ${apiKey}`;
}

function respond(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "application/json" }).end('{"error":{"message":"rejected"}}');
}

/** An error that the vendor sends for an event of the client. */
class Rejection extends Error {
  readonly code: string;

  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

/** The parts of the client's events that the simulation uses. */
interface ClientEvent extends OpenAIEvent {
  readonly session?: Readonly<Record<string, unknown>>;
  readonly audio?: string;
  readonly item?: Readonly<Record<string, unknown>>;
  readonly item_id?: string;
  readonly audio_end_ms?: number;
}

interface TurnDetection {
  readonly silence_duration_ms?: number;
  readonly create_response?: boolean;
  readonly interrupt_response?: boolean;
}

function converse(socket: WebSocket, { reply, transcribe }: FakeOpenAIOptions): FakeRealtimeSession {
  const received: OpenAIEvent[] = [];
  const errors: string[] = [];
  const closed = new AbortController();
  let conversation: OpenAIItem[] = [];
  let session: Readonly<Record<string, unknown>> = { type: "realtime", object: "realtime.session" };
  let active: { cancelled?: string; readonly done: Promise<void> } | undefined;
  let utterances = 0;
  let lastId = 0;
  let turnDetection: TurnDetection = {};
  let detector = createSpeechDetector(500);

  const nextId = (kind: string): string => `${kind}_${++lastId}`;
  const send = (event: OpenAIEvent): void => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify({ event_id: nextId("event"), ...event }));
  };

  const reject = (error: unknown): void => {
    if (!(error instanceof Rejection)) throw error;
    const { message, code } = error;
    errors.push(message);
    send({ type: "error", error: { type: "invalid_request_error", code, message, param: null, event_id: null } });
  };

  const add = (item: OpenAIItem): void => {
    conversation = [...conversation, item];
    const { id, type, role } = item;
    for (const step of ["added", "done"]) {
      send({
        type: `conversation.item.${step}`,
        previous_item_id: null,
        item: { id, type, role, object: "realtime.item" },
      });
    }
  };
  const replace = (id: string, change: Partial<OpenAIItem>): void => {
    conversation = conversation.map((item) => (item.id === id ? { ...item, ...change } : item));
  };

  function createResponse(): void {
    if (active)
      throw new Rejection(
        "Conversation already has an active response in progress.",
        "conversation_already_has_active_response",
      );
    const response: { cancelled?: string; done: Promise<void> } = { done: Promise.resolve() };
    active = response;
    response.done = generate(response, reply(conversation))
      .catch(() => undefined) // the socket is closed
      .finally(() => {
        active = undefined;
      });
  }

  async function generate(response: { readonly cancelled?: string }, answer: OpenAIReply): Promise<void> {
    const id = nextId("resp");
    const itemId = nextId("item");
    const about = { response_id: id, item_id: itemId, output_index: 0, content_index: 0 };
    send({
      type: "response.created",
      response: { id, object: "realtime.response", status: "in_progress", output: [] },
    });
    const finish = (output: object): void => {
      const reason = response.cancelled;
      const status = reason === undefined ? "completed" : "cancelled";
      const details = reason === undefined ? {} : { status_details: { type: "cancelled", reason } };
      send({ type: "response.output_item.done", response_id: id, output_index: 0, item: output });
      send({
        type: "response.done",
        response: { id, object: "realtime.response", status, ...details, output: [output] },
      });
    };

    if ("failure" in answer) {
      const details = { type: "failed", error: { type: "server_error", code: answer.failure } };
      const failed = { id, object: "realtime.response", status: "failed", status_details: details, output: [] };
      return send({ type: "response.done", response: failed });
    }
    if ("functionCall" in answer) {
      const { name } = answer.functionCall;
      const text = JSON.stringify(answer.functionCall.arguments);
      const callId = nextId("call");
      const item = { id: itemId, type: "function_call", name, call_id: callId };
      send({ type: "response.output_item.added", response_id: id, output_index: 0, item: { ...item, arguments: "" } });
      add({ id: itemId, type: "function_call", text });
      await sleep(deltaEveryMs, undefined, { signal: closed.signal });
      send({ type: "response.function_call_arguments.done", ...about, call_id: callId, name, arguments: text });
      return finish({ ...item, arguments: text, status: "completed" });
    }

    const { speech, transcript } = answer;
    const item = { id: itemId, type: "message", role: "assistant", object: "realtime.item" };
    send({ type: "response.output_item.added", response_id: id, output_index: 0, item: { ...item, content: [] } });
    add({ id: itemId, type: "message", role: "assistant", text: "" });
    send({ type: "response.content_part.added", ...about, part: { type: "audio", transcript: "" } });
    const deltas = cut(speech, deltaMs);
    const perDelta = transcript.length / deltas.length;
    let late = 0;
    for (const [index, delta] of deltas.entries()) {
      if (response.cancelled !== undefined && ++late > lateDeltas) break;
      const text = transcript.slice(Math.round(index * perDelta), Math.round((index + 1) * perDelta));
      if (text !== "") send({ type: "response.output_audio_transcript.delta", ...about, delta: text });
      const audio = Buffer.from(encodePcm16(delta.samples)).toString("base64");
      send({ type: "response.output_audio.delta", ...about, delta: audio });
      const known = conversation.find((each) => each.id === itemId);
      if (known && !known.truncated) {
        replace(itemId, { text: known.text + text, audioMs: (known.audioMs ?? 0) + durationMs(delta) });
      }
      await sleep(deltaEveryMs, undefined, { signal: closed.signal });
    }
    send({ type: "response.output_audio.done", ...about });
    send({ type: "response.output_audio_transcript.done", ...about, transcript });
    finish({ ...item, content: [{ type: "output_audio", transcript }] });
  }

  function cancel(reason: string): void {
    if (active) active.cancelled ??= reason;
  }

  async function hear(frame: AudioFrame): Promise<void> {
    const change = detector.push(frame);
    if (change === undefined) return;
    const itemId = `item_of_caller_${utterances}`;
    const position = Math.round(detector.positionMs);
    if (change === "started") {
      send({ type: "input_audio_buffer.speech_started", audio_start_ms: position, item_id: itemId });
      if (turnDetection.interrupt_response !== false) cancel("turn_detected");
      return;
    }
    const transcript = transcribe?.(utterances) ?? `utterance ${utterances}`;
    utterances++;
    send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: position, item_id: itemId });
    send({ type: "input_audio_buffer.committed", previous_item_id: null, item_id: itemId });
    add({ id: itemId, type: "message", role: "user", text: transcript });
    const kind = "conversation.item.input_audio_transcription";
    const about = { item_id: itemId, content_index: 0 };
    const half = transcript.length >> 1;
    for (const delta of [transcript.slice(0, half), transcript.slice(half)])
      send({ type: `${kind}.delta`, ...about, delta });
    send({ type: `${kind}.completed`, ...about, transcript, usage: { type: "duration", seconds: 1 } });
    await active?.done;
    if (turnDetection.create_response !== false) createResponse();
  }

  function truncate({ item_id: id = "", audio_end_ms: endMs = 0 }: ClientEvent): void {
    const item = conversation.find((each) => each.id === id);
    if (item === undefined) throw new Rejection(`Item with item_id not found: ${id}`, "item_truncate_invalid_item_id");
    const { audioMs = 0, text } = item;
    if (audioMs === 0)
      throw new Rejection("Only model output audio messages can be truncated", "unsupported_content_type");
    if (!Number.isInteger(endMs) || endMs < 0) throw new Rejection(`Invalid audio_end_ms: ${endMs}`, "invalid_type");
    if (endMs > audioMs) {
      throw new Rejection(`Audio content of ${audioMs}ms is already shorter than ${endMs}ms`, "invalid_value");
    }
    replace(id, { audioMs: endMs, text: text.slice(0, Math.round((text.length * endMs) / audioMs)), truncated: true });
    send({ type: "conversation.item.truncated", item_id: id, content_index: 0, audio_end_ms: endMs });
  }

  function update(changes: Readonly<Record<string, unknown>>): void {
    if (changes.type !== "realtime")
      throw new Rejection("Missing required parameter: 'session.type'.", "missing_required_parameter");
    session = { ...session, ...changes };
    const { input } = Object(session.audio) as { readonly input?: { readonly turn_detection?: TurnDetection } };
    turnDetection = input?.turn_detection ?? {};
    detector = createSpeechDetector(turnDetection.silence_duration_ms ?? 500);
    send({ type: "session.updated", session });
  }

  function create(item: Readonly<Record<string, unknown>>): void {
    const {
      id = nextId("item"),
      type,
      role,
      content = [],
      output = "",
    } = item as {
      readonly id?: string;
      readonly type: OpenAIItem["type"];
      readonly role?: string;
      readonly content?: readonly { readonly text?: string }[];
      readonly output?: string;
    };
    const text = type === "message" ? content.map((part) => part.text ?? "").join("") : output;
    add({ id, type, text, ...(role !== undefined && { role }) });
  }

  const handlers: Readonly<Record<string, (event: ClientEvent) => void>> = {
    "session.update": ({ session: changes = {} }) => update(changes),
    "input_audio_buffer.append": ({ audio = "" }) =>
      void hear({ samples: decodePcm16(Buffer.from(audio, "base64")), sampleRate, channels: 1 }).catch(reject),
    "conversation.item.create": ({ item = {} }) => create(item),
    "conversation.item.truncate": truncate,
    "conversation.item.delete": ({ item_id: id }) => {
      conversation = conversation.filter((item) => item.id !== id);
      send({ type: "conversation.item.deleted", item_id: id });
    },
    "response.create": createResponse,
    "response.cancel": () => {
      if (!active) throw new Rejection("Cancellation failed: no active response found", "response_cancel_not_active");
      cancel("client_cancelled");
    },
  };

  socket.on("message", (data) => {
    const event = JSON.parse(String(data)) as ClientEvent;
    if (event.type !== "input_audio_buffer.append") received.push(event);
    try {
      const handle = handlers[event.type];
      if (!handle) throw new Rejection(`Invalid value: '${event.type}'.`, "invalid_value");
      handle(event);
    } catch (error) {
      reject(error);
    }
  });
  socket.once("close", () => closed.abort());
  send({ type: "session.created", session });

  return {
    received,
    errors,
    get conversation() {
      return conversation;
    },
    get heardMs() {
      return detector.positionMs;
    },
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    send,
    drop: () => socket.terminate(),
  };
}

import { setTimeout as sleep } from "node:timers/promises";
import { type AudioFrame, cut, decodePcm16, durationMs, encodePcm16 } from "@pipecat-ts/audio";
import type { WebSocket } from "ws";
import { createSpeechDetector } from "./speech-detector.ts";

/** What the simulated model does in one response. */
export type OpenAIReply =
  | { readonly speech: AudioFrame; readonly transcript: string }
  | { readonly functionCall: { readonly name: string; readonly arguments: Readonly<Record<string, unknown>> } }
  /** The response fails with this code, such as `insufficient_quota`. */
  | { readonly failure: string };

/** What the simulated model says, and what it understands. */
export interface RealtimeOptions {
  /** The model's response to a conversation. Its speech is mono at 24,000 Hz. */
  reply(conversation: readonly OpenAIItem[]): OpenAIReply;
  /** The text of the caller's utterance `index`, from 0. Default `utterance {index}`. */
  transcribe?(index: number): string;
}

/** An item of the conversation, as the model knows it. */
export interface OpenAIItem {
  readonly id: string;
  readonly type: "message" | "function_call" | "function_call_output";
  readonly role?: string;
  /** The id that a function call and its output share. */
  readonly callId?: string;
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

const sampleRate = 24_000;
/** Audio per delta, and the time between two deltas: ten times as fast as speech. */
const deltaMs = 100;
const deltaEveryMs = 10;
/** Deltas that are on their way when a response is cancelled. */
const lateDeltas = 3;
/** The least audio that a client may commit. */
const leastCommitMs = 100;

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
  readonly session?: SessionChanges;
  readonly audio?: string;
  readonly item?: Readonly<Record<string, unknown>>;
  readonly item_id?: string;
  readonly audio_end_ms?: number;
}

interface TurnDetection {
  readonly type: string;
  readonly silence_duration_ms?: number;
  readonly create_response?: boolean;
  readonly interrupt_response?: boolean;
}

interface AudioInput {
  readonly turn_detection?: TurnDetection | null;
  readonly transcription?: object | null;
}

interface SessionChanges {
  readonly type?: string;
  readonly audio?: { readonly input?: AudioInput; readonly output?: object };
  readonly [field: string]: unknown;
}

/** What the vendor assumes until the client sets something else. */
const defaultSession = {
  type: "realtime",
  object: "realtime.session",
  audio: { input: { turn_detection: { type: "server_vad" }, transcription: null } as AudioInput, output: {} },
};

/** Speaks the Realtime API with one client. */
export function converse(socket: WebSocket, { reply, transcribe }: RealtimeOptions): FakeRealtimeSession {
  const received: OpenAIEvent[] = [];
  const errors: string[] = [];
  const closed = new AbortController();
  let conversation: OpenAIItem[] = [];
  let session = defaultSession;
  let active: { cancelled?: string; readonly done: Promise<void> } | undefined;
  let utterances = 0;
  let lastId = 0;
  let heardMs = 0;
  /** Audio that no utterance has yet. */
  let bufferedMs = 0;
  let detector = createDetector();

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
      add({ id: itemId, type: "function_call", callId, text });
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

  /** `undefined` when the client has turned voice detection off. */
  function createDetector() {
    const { turn_detection: settings } = session.audio.input;
    return settings ? createSpeechDetector(settings.silence_duration_ms ?? 500) : undefined;
  }

  async function hear(frame: AudioFrame): Promise<void> {
    heardMs += durationMs(frame);
    bufferedMs += durationMs(frame);
    const { turn_detection: settings } = session.audio.input;
    const change = detector?.push(frame);
    if (change === undefined) return;
    const itemId = `item_of_caller_${utterances}`;
    const position = Math.round(heardMs);
    if (change === "started") {
      send({ type: "input_audio_buffer.speech_started", audio_start_ms: position, item_id: itemId });
      if (settings?.interrupt_response !== false) cancel("turn_detected");
      return;
    }
    send({ type: "input_audio_buffer.speech_stopped", audio_end_ms: position, item_id: itemId });
    commit();
    await active?.done;
    if (settings?.create_response !== false) createResponse();
  }

  function commit(): void {
    if (bufferedMs < leastCommitMs) {
      const expected = `Expected at least ${leastCommitMs}ms of audio, but buffer only has ${bufferedMs.toFixed(2)}ms of audio.`;
      throw new Rejection(
        `Error committing input audio buffer: buffer too small. ${expected}`,
        "input_audio_buffer_commit_empty",
      );
    }
    clear();
    const itemId = `item_of_caller_${utterances}`;
    const transcript = transcribe?.(utterances) ?? `utterance ${utterances}`;
    utterances++;
    send({ type: "input_audio_buffer.committed", previous_item_id: null, item_id: itemId });
    add({ id: itemId, type: "message", role: "user", text: transcript });
    if (!session.audio.input.transcription) return;
    const kind = "conversation.item.input_audio_transcription";
    const about = { item_id: itemId, content_index: 0 };
    const half = transcript.length >> 1;
    for (const delta of [transcript.slice(0, half), transcript.slice(half)])
      send({ type: `${kind}.delta`, ...about, delta });
    send({ type: `${kind}.completed`, ...about, transcript, usage: { type: "duration", seconds: 1 } });
  }

  function clear(): void {
    bufferedMs = 0;
    detector = createDetector();
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

  function update({ audio, ...changes }: SessionChanges): void {
    if (changes.type !== "realtime")
      throw new Rejection("Missing required parameter: 'session.type'.", "missing_required_parameter");
    const input = { ...session.audio.input, ...audio?.input };
    session = { ...session, ...changes, audio: { input, output: { ...session.audio.output, ...audio?.output } } };
    if (audio?.input?.turn_detection !== undefined) detector = createDetector();
    send({ type: "session.updated", session });
  }

  function create(item: Readonly<Record<string, unknown>>): void {
    const {
      id = nextId("item"),
      type,
      role,
      content = [],
      output = "",
      arguments: json = "",
      call_id: callId,
    } = item as {
      readonly id?: string;
      readonly type: OpenAIItem["type"];
      readonly role?: string;
      readonly content?: readonly { readonly text?: string }[];
      readonly output?: string;
      readonly arguments?: string;
      readonly call_id?: string;
    };
    const called = conversation.some((each) => each.type === "function_call" && each.callId === callId);
    if (type === "function_call_output" && !called)
      throw new Rejection(`Tool call ID '${callId}' not found in conversation.`, "invalid_tool_call_id");
    const texts = {
      message: content.map((part) => part.text ?? "").join(""),
      function_call: json,
      function_call_output: output,
    };
    add({ id, type, text: texts[type], ...(role !== undefined && { role }), ...(callId !== undefined && { callId }) });
  }

  const handlers: Readonly<Record<string, (event: ClientEvent) => void>> = {
    "session.update": ({ session: changes = {} }) => update(changes),
    "input_audio_buffer.append": ({ audio = "" }) =>
      void hear({ samples: decodePcm16(Buffer.from(audio, "base64")), sampleRate, channels: 1 }).catch(reject),
    "input_audio_buffer.commit": commit,
    "input_audio_buffer.clear": () => {
      clear();
      send({ type: "input_audio_buffer.cleared" });
    },
    "conversation.item.create": ({ item = {} }) => create(item),
    "conversation.item.truncate": truncate,
    "conversation.item.delete": ({ item_id: id }) => {
      if (!conversation.some((item) => item.id === id)) {
        const message = `Error deleting item: the item with id '${id}' does not exist.`;
        throw new Rejection(message, "item_delete_invalid_item_id");
      }
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
      return heardMs;
    },
    get isOpen() {
      return socket.readyState === socket.OPEN;
    },
    send,
    drop: () => socket.terminate(),
  };
}

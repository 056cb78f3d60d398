import type { BotOutputData, FunctionCallData, ServerMessageType } from "./server-messages.ts";

/** The newest protocol version of this package, which is that of Pipecat 1.14. */
export const protocolVersion = "2.2.0";

/** The version for clients that do not speak 2.2.0, which is that of client-js 1.13. They receive nothing that 2.2.0 added. */
export const previousVersion = "2.1.0";

/** The client, as it described itself in `client-ready`. */
export interface RTVIClient {
  /** The client's protocol version: `2.1.0` from client-js 1.13. Undefined if it sent none. */
  readonly version: string | undefined;
  /** The client's library and platform. Undefined if it sent none, or if they do not match the protocol. */
  readonly about: AboutClient | undefined;
  /** Whether the client speaks protocol 1, which has a different `bot-output`. */
  readonly legacy: boolean;
}

/** `about` in `client-ready`. Fields have the names they have on the wire. */
export interface AboutClient {
  /** For example `@pipecat-ai/client-js`. */
  readonly library: string;
  readonly library_version?: string | null;
  readonly platform?: string | null;
  readonly platform_version?: string | null;
  readonly platform_details?: unknown;
}

/** A message of the bot, before or after its conversion to the client's protocol. */
export interface Message {
  readonly type: ServerMessageType;
  readonly data: unknown;
}

/** The messages that protocol 2.2.0 added, and `bot-interrupted`, which is sent automatically since then. */
const since22: ReadonlySet<ServerMessageType> = new Set([
  "bot-interrupted",
  "bot-llm-marker",
  "llm-raw-text",
  "stt-raw-text",
  "tts-raw-text",
  "user-input",
]);

/** Parses a version of three numbers. Undefined if it has another form. */
export function parseVersion(version: string): readonly [major: number, minor: number, patch: number] | undefined {
  const [, major, minor, patch] = /^(\d+)\.(\d+)\.(\d+)$/.exec(version) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

/** Whether the client speaks protocol 2.2.0 or later. */
export function speaks22({ version }: RTVIClient): boolean {
  const [major = 0, minor = 0] = parseVersion(version ?? "") ?? [];
  return major > 2 || (major === 2 && minor >= 2);
}

/**
 * Converts messages to the client's protocol. Returns undefined for messages that the client must not receive. The converter
 * remembers its position in the segment that is being spoken.
 */
export function createConverter(): (message: Message, client: RTVIClient) => Message | undefined {
  const toLegacy = createLegacyConverter();

  return (message, client) => {
    const { type, data } = message;
    if (speaks22(client)) return type === "bot-output" ? { type, data: toCurrent(data as BotOutputData) } : message;
    if (since22.has(type)) return undefined;
    if (type === "bot-output") {
      const output = data as BotOutputData;
      // Older clients would show it as a part of the answer.
      if (output.output_type === "backchannel") return undefined;
      return { type, data: client.legacy ? toLegacy(output) : toPrevious(output) };
    }
    if (type === "llm-function-call-in-progress" && /^1\.[01]\./.test(client.version ?? "")) {
      const { function_name = "", tool_call_id, arguments: args = {} } = data as FunctionCallData;
      return { type: "llm-function-call", data: { function_name, tool_call_id, args } };
    }
    return message;
  };
}

/** `bot-output` of 2.2.0 has two deprecated names for `output_type`, and a status for text that is not spoken. */
function toCurrent({ spoken_status = "new", ...data }: BotOutputData): object {
  return { ...data, spoken_status, text_type: data.output_type, aggregated_by: data.output_type };
}

function toPrevious({ output_type, ...data }: BotOutputData): object {
  return { ...data, aggregated_by: output_type };
}

/**
 * Converts `bot-output` to protocol 1, which announces each sentence once, and then sends each spoken piece. Before 1.2
 * (client-js 1.6), `llm-function-call` replaced `llm-function-call-in-progress`. All other messages are the same.
 */
function createLegacyConverter(): (data: BotOutputData) => object {
  let position = { segment: 0, spoken: 0 };

  return ({ text, output_type: aggregated_by, segment_id, spoken_status, spoken_progress }) => {
    if (spoken_status === undefined || spoken_status === "new") return { text, aggregated_by, spoken: false };
    const from = position.segment === segment_id ? position.spoken : 0;
    const to = spoken_progress?.accumulated_text.length ?? text.length;
    position = { segment: segment_id, spoken: to };
    const whole = from === 0 && to === text.length;
    return { text: text.slice(from, to).trim(), aggregated_by: whole ? aggregated_by : "word", spoken: true };
  };
}

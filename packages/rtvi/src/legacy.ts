import type { RTVIClient } from "./client.ts";
import type { BotOutputData, FunctionCallData, LegacyBotOutputData, ServerMessageType } from "./server-messages.ts";

/** A message on its way out. */
export interface Outgoing {
  readonly type: ServerMessageType;
  readonly data: unknown;
}

/**
 * Puts messages into the form of protocol 1, where `bot-output` tells each sentence once before and then, in pieces, as it
 * is spoken; and before 1.2, which client-js speaks from 1.6 on, function calls were one message. The others are the same
 * in both. Keeps the place in the segment being spoken.
 */
export function createLegacyForm(): (message: Outgoing, client: RTVIClient) => Outgoing {
  let place = { segment: 0, spoken: 0 };

  const outputForm = (data: BotOutputData): LegacyBotOutputData => {
    const { text, aggregated_by, segment_id, spoken_status, spoken_progress } = data;
    if (spoken_status === undefined || spoken_status === "new") return { text, aggregated_by, spoken: false };
    const from = place.segment === segment_id ? place.spoken : 0;
    const to = spoken_progress?.accumulated_text.length ?? text.length;
    place = { segment: segment_id, spoken: to };
    const whole = from === 0 && to === text.length;
    return { text: text.slice(from, to).trim(), aggregated_by: whole ? aggregated_by : "word", spoken: true };
  };

  return (message, client) => {
    const { type, data } = message;
    if (type === "bot-output") return { type, data: outputForm(data as BotOutputData) };
    if (type === "llm-function-call-in-progress" && /^1\.[01]\./.test(client.version ?? "")) {
      const { function_name = "", tool_call_id, arguments: args = {} } = data as FunctionCallData;
      return { type: "llm-function-call", data: { function_name, tool_call_id, args } };
    }
    return message;
  };
}

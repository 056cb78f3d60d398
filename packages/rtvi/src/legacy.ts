import type { BotOutputData, LegacyBotOutputData, ServerMessageType } from "./server-messages.ts";

/**
 * Puts the data of messages into the form of protocol 1, where `bot-output` tells each sentence once before and then,
 * in pieces, as it is spoken; the other messages are the same in both. Keeps the place in the segment being spoken.
 */
export function createLegacyForm(): (type: ServerMessageType, data: unknown) => unknown {
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

  return (type, data) => (type === "bot-output" ? outputForm(data as BotOutputData) : data);
}

/** A part of the bot's output. Its first `spoken` characters were heard. */
export interface Segment {
  readonly id: string;
  readonly text: string;
  readonly spoken: number;
  /** Whether the bot speaks it. */
  readonly aloud?: boolean;
}

/** What the caller or the bot said or wrote. */
export interface Message {
  readonly id: number;
  readonly from: "you" | "bot";
  readonly segments: readonly Segment[];
  /** Whether nothing is added anymore. */
  readonly closed: boolean;
}

export type Transcript = readonly Message[];

/** Messages that are kept. */
const maxMessages = 500;

/** Adds what the caller typed. */
export function typed(transcript: Transcript, text: string): Transcript {
  return append(closeLast(transcript), "you", { id: "typed", text, spoken: text.length }, true);
}

/** Adds what the caller said. An interim text is replaced by the next one. */
export function heard(transcript: Transcript, { text, final }: { text: string; final: boolean }): Transcript {
  const segment = { id: "said", text, spoken: text.length };
  const index = transcript.findLastIndex(({ from, closed }) => from === "you" && !closed);
  if (index < 0) return append(transcript, "you", segment, final);
  return transcript.map((message, at) => (at === index ? { ...message, segments: [segment], closed: final } : message));
}

/** One step of a segment of the bot's output, as RTVI sends it. */
export interface BotOutput {
  readonly text: string;
  readonly segment_id?: number;
  readonly will_be_spoken?: boolean;
  readonly spoken_progress?: { readonly accumulated_text: string };
  readonly spoken_status?: string;
}

/** Adds a segment of the bot's output, or advances one. Segments without an id belong to bots of older protocols. */
export function said(transcript: Transcript, output: BotOutput): Transcript {
  const { text, segment_id: number, will_be_spoken: spoken = false, spoken_progress: progress } = output;
  if (typeof text !== "string" || text === "") return transcript;
  const length = spoken ? (progress?.accumulated_text.length ?? 0) : text.length;
  const id = number === undefined ? "" : String(number);
  const segment: Segment = { id, text, spoken: length, aloud: spoken };
  const holds = ({ segments }: Message) => id !== "" && segments.some((segment) => segment.id === id);
  const index = transcript.findLastIndex(holds);
  if (index < 0) return append(transcript, "bot", segment, false);
  return transcript.map((message, at) =>
    at === index
      ? {
          ...message,
          segments: message.segments.map((old) => (old.id === id ? segment : old)),
        }
      : message,
  );
}

/** Ends the last message, so that the next one of the same side starts a new paragraph. */
export function closeLast(transcript: Transcript): Transcript {
  const last = transcript.at(-1);
  return last && last.from === "bot" && !last.closed
    ? [...transcript.slice(0, -1), { ...last, closed: true }]
    : transcript;
}

function append(transcript: Transcript, from: Message["from"], segment: Segment, closed: boolean): Transcript {
  const last = transcript.at(-1);
  if (last && from === "bot" && last.from === "bot" && !last.closed)
    return [...transcript.slice(0, -1), { ...last, segments: [...last.segments, segment] }];
  const message = { id: (last?.id ?? 0) + 1, from, segments: [segment], closed };
  return [...transcript, message].slice(-maxMessages);
}

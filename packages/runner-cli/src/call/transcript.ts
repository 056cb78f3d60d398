/** What one side said, as the bot reported it through RTVI. */
export interface TranscriptLine {
  readonly speaker: "caller" | "bot";
  readonly text: string;
}

/** Reads transcripts from the RTVI messages of a call. */
export interface Transcript {
  /** The lines in messages that arrived after those of the last call. */
  read(messages: readonly unknown[]): readonly TranscriptLine[];
}

export function createTranscript(): Transcript {
  /** Bots with `bot-output` send the same texts again as `bot-transcription`, for older clients. */
  let hasOutput = false;

  function lineOf(message: unknown): TranscriptLine | undefined {
    const { type, data } = Object(message) as { readonly type?: unknown; readonly data?: unknown };
    const { text, final, spoken_status: status = "new" } = Object(data) as Readonly<Record<string, unknown>>;
    if (typeof text !== "string" || text.trim() === "") return undefined;
    if (type === "user-transcription" && final === true) return { speaker: "caller", text };
    if (type === "bot-output") {
      hasOutput = true;
      // A segment is sent again while it is spoken.
      return status === "new" ? { speaker: "bot", text } : undefined;
    }
    return type === "bot-transcription" && !hasOutput ? { speaker: "bot", text } : undefined;
  }

  return {
    read(messages) {
      return messages.flatMap((message) => lineOf(message) ?? []);
    },
  };
}

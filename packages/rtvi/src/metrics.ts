/**
 * How fast the bot's parts were and what they used, in the wire's names; the console of voice-ui-kit 0.14 draws `ttfb` and
 * adds up `tokens[0]`. Times are in SECONDS, unlike everything else here.
 */
export interface Metrics {
  /** Times to the first byte of an answer. */
  readonly ttfb?: readonly Measurement[];
  /** Times to the first sound that is not silence. */
  readonly ttfa?: readonly Measurement[];
  /** Times to the first token of an answer. */
  readonly ttfat?: readonly Measurement[];
  /** Times that the work took. */
  readonly processing?: readonly Measurement[];
  readonly tokens?: readonly TokenUsage[];
  /** Characters that were spoken. */
  readonly characters?: readonly Measurement[];
  readonly stt_usage?: readonly Readonly<Record<string, unknown>>[];
}

/** A figure of one part of the bot. */
export interface Measurement {
  /** The part, by any name: `llm`, say. Charts have a line for each. */
  readonly processor: string;
  readonly model?: string;
  readonly value: number;
}

/** What one answer of a language model used, as OpenAI's API reports it. */
export interface TokenUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly cache_read_input_tokens?: number;
  readonly cache_creation_input_tokens?: number;
  readonly reasoning_tokens?: number;
}

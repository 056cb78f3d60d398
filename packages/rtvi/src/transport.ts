/**
 * What RTVI needs of the transport it speaks over: messages both ways, and word of when the bot is heard and
 * of keys. The runner's `Transport` fits it; so does anything else of this shape.
 */
export interface RTVITransport {
  /** Registers a listener and returns what removes it. A `tap` overhears: what is held for the first real listener stays held. */
  on(event: "appMessage", listener: (message: unknown) => void, options?: { readonly tap?: boolean }): () => void;
  on(
    event: "botStartedSpeaking" | "botStoppedSpeaking",
    listener: () => void,
    options?: { readonly tap?: boolean },
  ): () => void;
  /** Registers a listener for the keys of a phone, one at a time. */
  on(event: "dtmf", listener: (key: string) => void, options?: { readonly tap?: boolean }): () => void;
  /** Sends one message as JSON. What was sent first arrives first. */
  sendMessage(message: unknown): Promise<void>;
  /** Settles once the call is over. */
  readonly closed: Promise<unknown>;
  /** Ends the call gracefully: what is queued is played first. */
  close(): Promise<unknown>;
}

/** Where RTVI writes what nobody awaits. The runner's and pino's loggers fit it. */
export interface RTVILogger {
  warn(message: string): void;
}

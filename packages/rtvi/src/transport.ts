/**
 * The parts of a transport that RTVI uses: messages in both directions, when the bot starts and stops speaking or is
 * interrupted, the text of its speech, phone keys, and what the call carries. The runner's `Transport` has this shape, and any other object with it works too.
 */
export interface RTVITransport {
  /**
   * Registers a listener and returns a function that removes it. With `tap`, the listener also receives buffered events,
   * but leaves them in the buffer for the first listener without `tap`.
   */
  on(
    event: "appMessage",
    listener: (message: unknown, sender?: string) => void,
    options?: { readonly tap?: boolean | undefined },
  ): () => void;
  on(
    event: "botStartedSpeaking" | "botStoppedSpeaking" | "botInterrupted",
    listener: () => void,
    options?: { readonly tap?: boolean | undefined },
  ): () => void;
  /** Registers a listener that receives how much of the text of a speech the caller has heard. */
  on(
    event: "botSpeechProgress",
    listener: (progress: SpeechProgress) => void,
    options?: { readonly tap?: boolean | undefined },
  ): () => void;
  /** Registers a listener that receives phone keys, one per call. */
  on(event: "dtmf", listener: (key: string) => void, options?: { readonly tap?: boolean | undefined }): () => void;
  /** What the bot receives and sends in this call. Missing fields are unknown. */
  readonly capabilities?:
    | {
        readonly audioIn?: boolean | undefined;
        readonly audioOut?: boolean | undefined;
        readonly videoIn?: boolean | undefined;
        readonly screenIn?: boolean | undefined;
        readonly videoOut?: boolean | undefined;
      }
    | undefined;
  /** Sends one message as JSON. Messages arrive in the order they were sent. */
  sendMessage(message: unknown): Promise<void>;
  /** Settles when the call is over. */
  readonly closed: Promise<unknown>;
  /** Ends the call after the queued audio has played. */
  close(): Promise<unknown>;
}

/** How much of the text of a speech the caller has heard. */
export interface SpeechProgress {
  /** Identifies the speech. Speeches do not overlap. */
  readonly id: number;
  /** Its text so far. */
  readonly text: string;
  /** The beginning of `text` that the caller has heard, in whole words. */
  readonly heardText: string;
  /** Whether no further report of this speech follows. */
  readonly ended: boolean;
}

/** Receives problems that no promise reports. The runner's and pino's loggers have this shape. */
export interface RTVILogger {
  warn(fields: object, message: string): void;
}

/** Sends one message. Resolves if the transport rejects with `CALL_ENDED`: a caller who leaves early is not an error. */
export async function sendMessage(transport: RTVITransport, message: unknown): Promise<void> {
  try {
    await transport.sendMessage(message);
  } catch (error) {
    if ((error as { readonly code?: unknown } | null)?.code !== "CALL_ENDED") throw error;
  }
}

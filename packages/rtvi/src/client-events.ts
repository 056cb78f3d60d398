/**
 * The events a bot receives from its client. Each event is named after its message: `ui-event` becomes `uiEvent`. To add a
 * message, add an event here and a row to `clientMessages`.
 */
export interface RTVIEvents {
  /** The application's own message or request: `sendClientMessage` and `sendClientRequest` of client-js. */
  clientMessage: ClientMessage;
  /** The user typed a text to the bot: `sendText` of client-js. */
  sendText: SentText;
  /** The user sent a file: the URL of an upload, or the bytes themselves. */
  sendFile: SentFile;
  /**
   * The caller pressed a key; one event per key. Keys come from the client's keypad (`sendDTMF` of client-js, `0-9 * #`) or
   * from a phone (the transport's `dtmf`, which may also send `A-D`), so one listener serves all callers.
   * `transport.on("dtmf")` still receives phone keys only.
   */
  dtmf: string;
  /**
   * The result of a function call that no `callFunction` waits for: the bot announced the function call itself, or the result
   * is late.
   */
  llmFunctionCallResult: FunctionCallResult;
  /** An event in the application's user interface: `sendUIEvent` of client-js. */
  uiEvent: UIEvent;
  /** The content of the page: `startUISnapshotStream` of client-js. While the event has no listener, only the latest is held. */
  uiSnapshot: UISnapshotMessage;
  /** The user asks to stop a group of jobs that `uiJobGroup` announced: `cancelUIJobGroup` of client-js. */
  uiCancelJobGroup: JobGroupCancellation;
  /**
   * Caller audio that arrived in messages. The Daily client sends audio that it recorded before the bot was ready. This audio
   * is not part of `transport.input`, which is a real-time stream. A transport whose callers send all audio this way reads the
   * messages itself.
   */
  rawAudio: RawAudio & ClientRequest;
  /**
   * An eval harness sets the messages that the bot's context starts from. Replace the context; do not answer. Only with the
   * option `evals`.
   */
  evalContext: EvalContext;
  /**
   * The client asks the bot to end the call: `disconnectBot` of client-js. Without a listener, the transport is closed after
   * the queued audio has played. With a listener, the bot ends the call itself. Register it right after `createRTVI`.
   */
  disconnectBot: ClientRequest;
}

/** A client message that the bot can reject. */
export interface ClientRequest {
  /** The client's id for the message, which answers repeat. */
  readonly id: string;
  /** Answers with an `error-response`. It fires the client's `onMessageError` and rejects the pending request, if there is one. */
  error(message: string): Promise<void>;
}

/** A message of the application. The wire format does not say whether it expects an answer; that is up to the application. */
export interface ClientMessage extends ClientRequest {
  /** `t` on the wire: the application's name for this kind of message. */
  readonly type: string;
  /** `d` on the wire: any JSON value, or `undefined`. Not validated. */
  readonly data: unknown;
  /** Answers with a `server-response`. The client's `sendClientRequest` resolves with `data`; it times out after 10 s by default. */
  respond(data?: unknown): Promise<void>;
}

/** A text that the user typed. */
export interface SentText extends ClientRequest {
  readonly content: string;
  /** Whether to interrupt the bot and answer now. If false, the text is only added to the context. Default true. */
  readonly runImmediately: boolean;
  /** Whether to answer with speech. If false, the bot answers with text only. Default true. */
  readonly audioResponse: boolean;
}

/** A file that the user sent. Nothing but its shape was checked: `name`, `format` and the size of an image are the client's claims. */
export interface SentFile extends ClientRequest {
  /** The user's text for the file. May be empty. */
  readonly content: string;
  /** The file's name, for people to read. Not a path. */
  readonly name: string | undefined;
  /** The MIME type, such as `application/pdf`. */
  readonly format: string;
  readonly source: FileSource;
  /** Whether to interrupt the bot and answer now. If false, the file is only added to the context. Default true. */
  readonly runImmediately: boolean;
  /** Whether to answer with speech. If false, the bot answers with text only. Default true. */
  readonly audioResponse: boolean;
  /** What the client wants a language model to know, such as OpenAI's `detail`. Not validated. */
  readonly customOptions: Readonly<Record<string, unknown>> | undefined;
  /**
   * Returns the file's bytes: those of the message, or those that `storage` has for the URL. Pass `args.fileStorage`. If the file
   * does not exist (`FILE_UNKNOWN`), or `storage` is undefined, answers the client with an error and resolves with undefined. Rejects
   * with other errors of the storage. URLs of other servers are up to the bot: check the address before you fetch one.
   */
  load(storage: FileReader | undefined): Promise<Uint8Array | undefined>;
}

/** Where a file is. `width` and `height` are those of an image, in pixels, if the client sent them. */
export type FileSource =
  | { readonly type: "url"; readonly url: string }
  | {
      readonly type: "bytes";
      readonly bytes: Uint8Array;
      readonly width: number | undefined;
      readonly height: number | undefined;
    };

/** Reads stored files. The runner's `FileStorage` has this shape. */
export interface FileReader {
  /** Rejects with an error with the code `FILE_UNKNOWN` for URLs without a file. */
  load(url: string): Promise<Uint8Array>;
}

/** The return value of a client function: an object or a string, as the protocol requires. */
export type FunctionResult = Readonly<Record<string, unknown>> | string;

/** The result of a function call, with the call as the client repeats it. */
export interface FunctionCallResult extends ClientRequest {
  readonly callId: string;
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly result: FunctionResult;
}

/** An event in the application's user interface. */
export interface UIEvent extends ClientRequest {
  /** The application's name for it. */
  readonly event: string;
  /** Any JSON value, or `undefined`. Not validated. */
  readonly payload: unknown;
}

/** The content of the page. */
export interface UISnapshotMessage extends ClientRequest {
  readonly tree: UISnapshot;
}

/** A request to stop a group of jobs. */
export interface JobGroupCancellation extends ClientRequest {
  readonly jobId: string;
  readonly reason: string | undefined;
}

/** The messages that the bot's context starts from. */
export interface EvalContext extends ClientRequest {
  /** As the scenario has them, usually with `role` and `content`. Not validated. */
  readonly messages: readonly Readonly<Record<string, unknown>>[];
}

/** Audio from a message. */
export interface RawAudio {
  /** One frame per piece of the message, in order. Same shape as the frames of `transport.input`, at the client's sample rate. */
  readonly frames: readonly RawAudioFrame[];
}

/** PCM16 samples with interleaved channels. `sampleRate` is in Hz. */
export interface RawAudioFrame {
  readonly samples: Int16Array;
  readonly sampleRate: number;
  readonly channels: number;
}

/**
 * The content of the page as an accessibility tree. Fields have the names they have on the wire. client-js 1.13 sends at most
 * 200 nodes, 10 levels deep. Clients may add fields.
 */
export interface UISnapshot {
  readonly root: UINode;
  /** The client's time, in ms since 1970. */
  readonly captured_at: number;
  /** The user's selection, if there is one. */
  readonly selection?: UISelection | null;
}

/** An element of the page. */
export interface UINode {
  /** Identifies the element in `uiCommand`, for example `e42`. Stable as long as the element exists. Empty for text nodes. */
  readonly ref: string;
  /** The ARIA role, or `text`, or `ellipsis` for omitted content. */
  readonly role: string;
  readonly name?: string | null;
  readonly value?: string | null;
  /** `focused`, `selected`, `expanded`, `checked`, `disabled`, `offscreen`, or an application's own state. */
  readonly state?: readonly string[] | null;
  /** Heading level, 1 to 6. */
  readonly level?: number | null;
  readonly colcount?: number | null;
  readonly rowcount?: number | null;
  readonly children?: readonly UINode[] | null;
}

/** Selected text. The offsets count characters and are present for text in inputs only. */
export interface UISelection {
  readonly ref: string;
  readonly text: string;
  readonly start_offset?: number | null;
  readonly end_offset?: number | null;
}

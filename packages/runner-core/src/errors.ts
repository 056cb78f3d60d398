/** The codes of the runner's own errors and their HTTP status. docs/errors.md explains each. */
export const errorStatus = {
  AT_CAPACITY: 429,
  AUDIO_INVALID: 400,
  BODY_INVALID: 400,
  BODY_TOO_LARGE: 413,
  BOT_INVALID: 500,
  BOT_NOT_FOUND: 500,
  CALLER_MISSING: 504,
  CALLER_NOT_READING: 503,
  CALL_ENDED: 409,
  CALL_ID_INVALID: 400,
  CALL_UNVERIFIED: 403,
  CAPTURE_INCOMPLETE: 400,
  CAPTURE_INVALID: 400,
  CAPTURE_VERSION: 400,
  CARRIER_CREDENTIALS_MISSING: 500,
  CARRIER_REFUSED: 502,
  DIAL_DISABLED: 403,
  DIAL_NUMBER_REFUSED: 403,
  DIAL_UNSUPPORTED: 501,
  DIRECTORY_UNREACHABLE: 503,
  DRAINING: 503,
  DTMF_INTERRUPTED: 409,
  DTMF_INVALID: 400,
  FILE_UNKNOWN: 404,
  HOST_REFUSED: 403,
  INTERNAL: 500,
  KEY_REQUIRED: 401,
  MEDIA_FORMAT_UNSUPPORTED: 400,
  MESSAGES_UNSUPPORTED: 501,
  MESSAGE_TOO_LARGE: 413,
  METHOD_NOT_ALLOWED: 405,
  NODE_UNREACHABLE: 503,
  NOT_FOUND: 404,
  OFFER_INVALID: 400,
  OPTION_INVALID: 400,
  ORIGIN_REFUSED: 403,
  PHONE_NUMBER_INVALID: 400,
  PLUGIN_INVALID: 500,
  PORT_IN_USE: 500,
  PUBLIC_URL_MISSING: 421,
  PUBLIC_URL_UNREACHABLE: 502,
  RATE_EXCEEDED: 429,
  REPLAY_STUCK: 504,
  REQUEST_INVALID: 400,
  RUNNER_NOT_OPEN: 500,
  SESSION_ALIAS_TAKEN: 409,
  SESSION_ID_TAKEN: 409,
  SESSION_NOT_PENDING: 409,
  SESSION_UNKNOWN: 404,
  SIGNATURE_INVALID: 403,
  STARTING: 503,
  START_MESSAGE_MISSING: 400,
  TOKEN_INVALID: 403,
  TOKEN_REQUIRED: 401,
  TRANSFER_UNDER_WAY: 409,
  TRANSFER_UNSUPPORTED: 501,
  TRANSPORT_ALREADY_CREATED: 409,
  TRANSPORT_EXCLUDED: 400,
  TRANSPORT_NOT_CONNECTED: 500,
  TRANSPORT_PARAMS_MISSING: 500,
  TRANSPORT_UNAVAILABLE: 400,
  TRANSPORT_UNKNOWN: 400,
  TUNNEL_FAILED: 500,
  TURN_UNREACHABLE: 503,
  UDP_PORTS_EXHAUSTED: 503,
  UPLOADS_DISABLED: 503,
  VIDEO_OFF: 409,
  VIDEO_SOURCE_MISSING: 404,
  VIDEO_TIMED_OUT: 504,
  WHISPER_INVALID: 400,
  WORKER_CRASHED: 502,
  WORKER_FAILED: 500,
} as const;

/** A code of the runner; transports add further codes. */
export type RunnerErrorCode = keyof typeof errorStatus;

const marker = Symbol.for("pipecat.runner-error");

/** The error class of the runner and its transports. `message` says what failed and with which value; `fix` says what to do. */
export class RunnerError extends Error {
  override readonly name: string = "RunnerError";
  /** Stable, for programs: `TRANSPORT_UNKNOWN`. */
  readonly code: RunnerErrorCode | (string & {});
  /** The status of the HTTP response. */
  readonly status: number;
  /** What to do, as a sentence. */
  readonly fix: string | undefined;

  constructor(
    code: RunnerErrorCode | (string & {}),
    message: string,
    options: { readonly status?: number | undefined; readonly fix?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status ?? (errorStatus as Readonly<Record<string, number>>)[code] ?? 500;
    this.fix = options.fix;
    Object.defineProperty(this, marker, { value: true });
  }
}

/** Whether `error` is a `RunnerError`, from this or another copy of the package. */
export function isRunnerError(error: unknown): error is RunnerError {
  return typeof error === "object" && error !== null && (error as Record<symbol, unknown>)[marker] === true;
}

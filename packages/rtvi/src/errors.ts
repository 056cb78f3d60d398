const marker = Symbol.for("pipecat.runner-error");

/**
 * An error of RTVI in the form of the runner's `RunnerError`: `code` is stable and for programs, `fix` says what to do. The
 * runner's `isRunnerError` knows it by the registered symbol, for this package imports nothing of the runner.
 */
export class RTVIError extends Error {
  override readonly name: string = "RTVIError";
  readonly code: string;
  readonly status: number;
  readonly fix: string | undefined;

  constructor(code: string, message: string, options: { status: number; fix?: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = options.status;
    this.fix = options.fix;
    Object.defineProperty(this, marker, { value: true });
  }
}

import type { FunctionResult } from "./client-events.ts";
import type { Handshake } from "./handshake.ts";
import { letIgnore } from "./ignorable.ts";
import type { RTVISenders } from "./senders.ts";

/** How a client function is called. */
export interface FunctionCallOptions {
  /** How long to wait for the result, in ms. `Infinity` waits until the call is over. Default 10,000. */
  readonly timeoutMs?: number | undefined;
  /** Cancels the function call when aborted, for example when the caller interrupts. */
  readonly signal?: AbortSignal | undefined;
  /** The language model's id of the function call. Default: a new id. */
  readonly callId?: string | undefined;
}

/** The pending calls of client functions. */
export interface FunctionCalls {
  call(name: string, args?: Readonly<Record<string, unknown>>, options?: FunctionCallOptions): Promise<FunctionResult>;
  /** Whether a call waits for its result. */
  readonly pending: boolean;
  /** Resolves the pending call with its result. Returns false if no call with this id is pending. */
  settle(callId: string, result: FunctionResult): boolean;
  /** Rejects all pending calls, because the client is gone. */
  close(): void;
}

const defaultTimeoutMs = 10_000;
/** The longest delay of a Node timer. */
const maxTimerMs = 2 ** 31 - 1;

type Pending = { readonly resolve: (result: FunctionResult) => void; readonly reject: (error: Error) => void };

export function createFunctionCalls(senders: RTVISenders, handshake: Handshake): FunctionCalls {
  const pending = new Map<string, Pending>();
  let closed = false;

  function start(
    name: string,
    args: Readonly<Record<string, unknown>>,
    { timeoutMs = defaultTimeoutMs, signal, callId = crypto.randomUUID() }: FunctionCallOptions,
    { resolve, reject }: Pending,
  ): void {
    let started = false;
    let timer: NodeJS.Timeout | undefined;

    // The outbox must not hold this message: a client that becomes ready late must not run a function that has timed out.
    const begin = (): void => {
      handshake.listeners.delete(begin);
      started = true;
      void senders.llmFunctionCallStarted({ name });
      senders.llmFunctionCallInProgress({ callId, name, args }).catch(cancel);
    };
    const end = (outcome: { readonly cancelled: boolean; readonly result?: FunctionResult | undefined }): void => {
      pending.delete(callId);
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      handshake.listeners.delete(begin);
      if (started) void senders.llmFunctionCallStopped({ callId, name, ...outcome });
    };
    const cancel = (error: Error): void => {
      end({ cancelled: true });
      reject(error);
    };
    const abort = (): void => cancel(aborted(name, signal?.reason));

    pending.set(callId, {
      resolve(result) {
        end({ cancelled: false, result });
        resolve(result);
      },
      reject: cancel,
    });
    signal?.addEventListener("abort", abort);
    if (timeoutMs <= maxTimerMs) timer = setTimeout(() => cancel(timedOut(name, timeoutMs, started)), timeoutMs);
    if (handshake.client) begin();
    else handshake.listeners.add(begin);
  }

  return {
    call(name, args = {}, options = {}) {
      const { timeoutMs = defaultTimeoutMs, signal, callId } = options;
      const answer = new Promise<FunctionResult>((resolve, reject) => {
        if (!(timeoutMs >= 0)) throw new RangeError(`timeoutMs: ${timeoutMs} is not a number of at least 0.`);
        if (callId !== undefined && pending.has(callId))
          throw new TypeError(`callId: a function call with the id "${callId}" is already pending.`);
        if (closed) throw callEnded();
        if (signal?.aborted) throw aborted(name, signal.reason);
        start(name, args, options, { resolve, reject });
      });
      return letIgnore(answer);
    },
    get pending() {
      return pending.size > 0;
    },
    settle(callId, result) {
      const call = pending.get(callId);
      call?.resolve(result);
      return call !== undefined;
    },
    close() {
      closed = true;
      for (const [, { reject }] of [...pending]) reject(callEnded());
    },
  };
}

const marker = Symbol.for("pipecat.runner-error");

/**
 * An error with the fields of the runner's `RunnerError`. The runner's `isRunnerError` recognizes it by the registered
 * symbol, because this package imports nothing from the runner.
 */
class RTVIError extends Error {
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

function timedOut(name: string, timeoutMs: number, started: boolean): RTVIError {
  const problem = started
    ? `The client function "${name}" returned no result within ${timeoutMs} ms.`
    : `The client function "${name}" was not called: no client became ready within ${timeoutMs} ms.`;
  return new RTVIError("FUNCTION_CALL_TIMED_OUT", problem, {
    status: 504,
    fix: started
      ? "Register a handler with this name in the client and return a value from it, or increase `timeoutMs`."
      : "Call client functions when `rtvi.client` is set. Phone callers have no client.",
  });
}

function aborted(name: string, cause: unknown): RTVIError {
  return new RTVIError("FUNCTION_CALL_ABORTED", `The call of the client function "${name}" was aborted.`, {
    status: 409,
    cause,
  });
}

function callEnded(): RTVIError {
  return new RTVIError("CALL_ENDED", "The client function returned no result: the caller has left.", { status: 409 });
}

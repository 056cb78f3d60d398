import type { FunctionResult } from "./client-events.ts";
import { RTVIError } from "./errors.ts";
import type { Handshake } from "./handshake.ts";
import type { RTVISenders } from "./senders.ts";

/** How a function of the client's is called. */
export interface FunctionCallOptions {
  /** How long to wait for the result, in ms from the call on; Infinity waits for as long as the call lasts. Default 10,000. */
  readonly timeoutMs?: number;
  /** Gives the call up when aborted, as when the caller interrupts. */
  readonly signal?: AbortSignal;
  /** The language model's id of the call. Default a new one. */
  readonly callId?: string;
}

/** Calls of the client's functions. */
export interface FunctionCalls {
  call(name: string, args?: Readonly<Record<string, unknown>>, options?: FunctionCallOptions): Promise<FunctionResult>;
  /** Ends the call that this is the result of. False when none waits for it. */
  settle(callId: string, result: FunctionResult): boolean;
  /** Rejects every call: the client is gone. */
  close(): void;
}

const defaultTimeoutMs = 10_000;
/** The longest that a timer of Node's can wait. */
const maxTimerMs = 2 ** 31 - 1;

type Waiting = { readonly succeed: (result: FunctionResult) => void; readonly fail: (error: Error) => void };

export function createFunctionCalls(senders: RTVISenders, handshake: Handshake): FunctionCalls {
  const waiting = new Map<string, Waiting>();
  let closed = false;

  function start(
    name: string,
    args: Readonly<Record<string, unknown>>,
    { timeoutMs = defaultTimeoutMs, signal, callId = crypto.randomUUID() }: FunctionCallOptions,
    { succeed, fail }: Waiting,
  ): void {
    let begun = false;
    let timer: NodeJS.Timeout | undefined;

    // Not left to the outbox to keep: a client that gets ready must not be asked for what nobody waits for any more.
    const begin = (): void => {
      handshake.listeners.delete(begin);
      begun = true;
      void senders.llmFunctionCallStarted({ name });
      senders.llmFunctionCallInProgress({ callId, name, args }).catch(giveUp);
    };
    const end = (outcome: { readonly cancelled: boolean; readonly result?: FunctionResult }): void => {
      waiting.delete(callId);
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      handshake.listeners.delete(begin);
      if (begun) void senders.llmFunctionCallStopped({ callId, name, ...outcome });
    };
    const giveUp = (error: Error): void => {
      end({ cancelled: true });
      fail(error);
    };
    const abort = (): void => giveUp(aborted(name, signal?.reason));

    waiting.set(callId, {
      succeed(result) {
        end({ cancelled: false, result });
        succeed(result);
      },
      fail: giveUp,
    });
    signal?.addEventListener("abort", abort);
    if (timeoutMs <= maxTimerMs) timer = setTimeout(() => giveUp(timedOut(name, timeoutMs, begun)), timeoutMs);
    if (handshake.client) begin();
    else handshake.listeners.add(begin);
  }

  return {
    call(name, args = {}, options = {}) {
      const { timeoutMs = defaultTimeoutMs, signal, callId } = options;
      const answer = new Promise<FunctionResult>((succeed, fail) => {
        if (!(timeoutMs >= 0)) throw new RangeError(`timeoutMs is ${timeoutMs}; it must be a number from 0 on.`);
        if (callId !== undefined && waiting.has(callId))
          throw new TypeError(`A function call of the id "${callId}" is under way.`);
        if (closed) throw callEnded(name);
        if (signal?.aborted) throw aborted(name, signal.reason);
        start(name, args, options, { succeed, fail });
      });
      answer.catch(() => undefined); // whoever awaits it handles it; for the others it harms nothing
      return answer;
    },
    settle(callId, result) {
      const call = waiting.get(callId);
      call?.succeed(result);
      return call !== undefined;
    },
    close() {
      closed = true;
      for (const { fail } of [...waiting.values()]) fail(callEnded("a function"));
    },
  };
}

function timedOut(name: string, timeoutMs: number, begun: boolean): RTVIError {
  const lack = begun ? "gave no result" : "was not called, for no client got ready,";
  return new RTVIError("FUNCTION_CALL_TIMED_OUT", `The client's function "${name}" ${lack} in ${timeoutMs} ms.`, {
    status: 504,
    fix: begun
      ? "Register a handler of this name in the client that returns a value, or allow it more time by `timeoutMs`."
      : "Call functions once `rtvi.client` is there; a caller on a phone has none.",
  });
}

function aborted(name: string, cause: unknown): RTVIError {
  return new RTVIError("FUNCTION_CALL_ABORTED", `The call of the client's function "${name}" was aborted.`, {
    status: 409,
    cause,
  });
}

function callEnded(name: string): RTVIError {
  return new RTVIError("CALL_ENDED", `The client's function "${name}" gives no result any more: the call is over.`, {
    status: 409,
  });
}

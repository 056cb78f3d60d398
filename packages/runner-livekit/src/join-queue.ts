import { RunnerError, withTimeout } from "@pipecat-ts/runner-core";
import type { LiveKitClient } from "./client.ts";

type Join = LiveKitClient["join"];

/**
 * Joins one room after the other. While `@livekit/rtc-node` 1.1 joins many rooms at once, it blocks the process for seconds, and
 * afterwards it delivers no audio: seen with 20 rooms on 2 cores. A join may wait for `timeoutMs` before its turn.
 */
export function createJoinQueue(join: Join): Join {
  let last: Promise<unknown> = Promise.resolve();

  return async (request, listener) => {
    const { signal, timeoutMs } = request;
    const before = last;
    const { promise: done, resolve } = Promise.withResolvers<void>();
    last = done;
    try {
      const isTurn = await withTimeout(Promise.race([before, aborted(signal)]), timeoutMs);
      if (signal.aborted) throw new RunnerError("CALL_ENDED", "The bot has left its room.");
      if (!isTurn) throw busy(timeoutMs);
      return await join(request, listener);
    } finally {
      void before.then(() => resolve());
    }
  };
}

function aborted(signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}

function busy(timeoutMs: number): RunnerError {
  return new RunnerError("LIVEKIT_JOIN_TIMEOUT", `Other rooms were being joined for ${timeoutMs / 1000} s.`, {
    status: 504,
    fix: "Check the load of this machine, start fewer calls at once, or raise --livekit-join-timeout.",
  });
}

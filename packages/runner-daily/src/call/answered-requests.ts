import { RunnerError } from "@pipecat-ts/runner-core";
import type { Clock } from "@pipecat-ts/runner-media";
import { hideNumbers } from "../hide-numbers.ts";
import type { DailyCall, DailyEvent, DailyMethod } from "./daily-call.ts";

/** Asks for what Daily answers by an event: the methods of daily-js return nothing. */
export interface AnsweredRequests {
  /**
   * Resolves with the next event called `done`; rejects with DAILY_CALL_FAILED at one called `failed`, or after 30 s, and
   * with CALL_ENDED when the call ends.
   */
  ask(method: DailyMethod, done: string, failed: string, options?: object): Promise<DailyEvent>;
  see(event: DailyEvent): void;
  /** The call is over: no answer comes. */
  end(): void;
}

const answerMs = 30_000;

interface Waiter {
  readonly done: string;
  readonly failed: string;
  readonly settle: (event: DailyEvent | undefined) => void;
}

export function createAnsweredRequests(call: Pick<DailyCall, "request">, clock: Clock): AnsweredRequests {
  const waiting = new Set<Waiter>();
  let over = false;

  return {
    end() {
      over = true;
      for (const { settle } of waiting) settle(undefined);
    },
    see(event) {
      for (const { done, failed, settle } of [...waiting]) {
        if (event.action === done || event.action === failed) settle(event);
      }
    },
    async ask(method, done, failed, options) {
      const { promise, resolve } = Promise.withResolvers<DailyEvent | undefined>();
      const waiter: Waiter = { done, failed, settle: resolve };
      const cancel = clock.after(answerMs, () => resolve(undefined));
      waiting.add(waiter);
      try {
        await call.request(method, ...(options ? [options] : []));
        const event = await promise;
        if (event?.action === done) return event;
        if (over) throw new RunnerError("CALL_ENDED", `The call ended before Daily answered ${method}.`);
        const why = event ? hideNumbers(String(event.errorMsg ?? event.action)) : `no answer in ${answerMs / 1000} s`;
        throw new RunnerError("DAILY_CALL_FAILED", `Daily did not ${method}: ${why}.`, { status: 502 });
      } finally {
        cancel();
        waiting.delete(waiter);
      }
    },
  };
}

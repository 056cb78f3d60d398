import { type Clock, isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import { redactPhoneNumbers } from "./api.ts";
import type { DailyCall, DailyEvent, DailyMethod } from "./client.ts";

/** Requests that Daily answers with an event, because the methods of daily-js return nothing. */
export interface EventRequests {
  /**
   * Resolves with the next event called `done`. Rejects with DAILY_CALL_FAILED at an event called `failed` or after 30 s,
   * and with CALL_ENDED when the call ends.
   */
  send(method: DailyMethod, done: string, failed: string, options?: object): Promise<DailyEvent>;
  /** Takes all events of the call. */
  event(event: DailyEvent): void;
  /** The call ended. */
  end(): void;
}

const answerTimeoutMs = 30_000;

interface PendingRequest {
  readonly done: string;
  readonly failed: string;
  readonly settle: (event: DailyEvent | undefined) => void;
}

export function createEventRequests(daily: Pick<DailyCall, "request">, clock: Clock): EventRequests {
  const pending = new Set<PendingRequest>();
  let ended = false;

  return {
    end() {
      ended = true;
      for (const { settle } of pending) settle(undefined);
    },
    event(event) {
      for (const { done, failed, settle } of [...pending]) {
        if (event.action === done || event.action === failed) settle(event);
      }
    },
    async send(method, done, failed, options) {
      const { promise, resolve, reject } = Promise.withResolvers<DailyEvent | undefined>();
      const request: PendingRequest = { done, failed, settle: resolve };
      const cancel = clock.after(answerTimeoutMs, () => resolve(undefined));
      pending.add(request);
      try {
        daily.request(method, ...(options ? [options] : [])).catch(reject);
        const event = await promise;
        if (event?.action === done) return event;
        if (ended) throw new RunnerError("CALL_ENDED", `The call ended before Daily answered ${method}.`);
        const fault = event
          ? redactPhoneNumbers(String(event.errorMsg ?? event.action))
          : `no answer in ${answerTimeoutMs / 1000} s`;
        throw new RunnerError("DAILY_CALL_FAILED", `${method} failed: ${fault}.`, { status: 502 });
      } finally {
        cancel();
        pending.delete(request);
      }
    },
  };
}

/** Sends an app message to one participant, by default to all. Rejects with MESSAGE_TOO_LARGE and CALL_ENDED. */
export async function sendAppMessage(daily: Pick<DailyCall, "request">, message: unknown, to = "*"): Promise<void> {
  if (JSON.stringify(message) === undefined) throw new TypeError(`JSON cannot represent ${typeof message}.`);
  try {
    await daily.request("sendAppMessage", message, to);
  } catch (error) {
    // daily-js 0.92.2 has no code for this. The limit is 4,096 bytes unless Daily raises it for the room.
    if (!isRunnerError(error) || !error.message.includes("Message data too large")) throw error;
    throw new RunnerError("MESSAGE_TOO_LARGE", `The message was not sent. ${error.message}.`, {
      fix: "Split it, or send a URL that the caller can fetch.",
    });
  }
}

import { isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import type { DailyCall } from "./daily-call.ts";

/** Sends app messages; to everybody unless told to whom. Rejects with MESSAGE_TOO_LARGE, in Daily's words, and CALL_ENDED. */
export function createMessageSender(
  call: Pick<DailyCall, "request">,
): (message: unknown, to?: string) => Promise<void> {
  return async (message, to = "*") => {
    if (JSON.stringify(message) === undefined) throw new TypeError(`JSON cannot say ${typeof message}.`);
    try {
      await call.request("sendAppMessage", message, to);
    } catch (error) {
      throw isTooLarge(error) ? tooLarge(error) : error;
    }
  };
}

/** daily-js 0.92.2 says so by this text alone; the limit is the room's, 4,096 bytes unless Daily says more as it lets one in. */
function isTooLarge(error: unknown): error is RunnerError {
  return isRunnerError(error) && error.message.includes("Message data too large");
}

function tooLarge(error: RunnerError): RunnerError {
  return new RunnerError("MESSAGE_TOO_LARGE", `The message was not sent. ${error.message}.`, {
    fix: "Send it in parts, or send a URL where the caller can fetch it.",
  });
}

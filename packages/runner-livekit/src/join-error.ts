import { isRunnerError, RunnerError } from "@pipecat-ts/runner-core";
import { credentialsFix } from "./api.ts";

/**
 * Converts an error of the SDK's join. The SDK quotes tokens and API keys, so its text is not passed on: of a refusal only the status,
 * and of a network error only the text of the operating system.
 */
export function joinError(error: unknown): RunnerError {
  if (isRunnerError(error)) return error;
  const { message } = error as Error;
  const status = message.match(/\b(4\d\d|5\d\d) [A-Z]/)?.[1];
  if (status === "401" || status === "403") {
    return new RunnerError("LIVEKIT_REFUSED", `LiveKit rejects the token: ${status}.`, {
      status: 502,
      fix: credentialsFix,
    });
  }
  if (status !== undefined) {
    return new RunnerError("LIVEKIT_JOIN_FAILED", `The room cannot be joined: LiveKit answers with status ${status}.`, {
      status: 502,
      fix: "Check LIVEKIT_URL and the log of the LiveKit server.",
    });
  }
  const network = message.match(/(?:connection error|IO error): (?:IO error: )?([\w .,:()]{1,100})/)?.[1];
  if (network !== undefined) {
    return new RunnerError("LIVEKIT_UNREACHABLE", `The LiveKit server cannot be reached: ${network}.`, {
      status: 502,
      fix: "Check LIVEKIT_URL and the network.",
    });
  }
  return new RunnerError("LIVEKIT_JOIN_FAILED", "The room cannot be joined.", {
    status: 502,
    fix: "Check LIVEKIT_URL, the log of the LiveKit server, and that UDP reaches it.",
  });
}

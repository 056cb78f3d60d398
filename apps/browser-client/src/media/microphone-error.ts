import type { DeviceError } from "@pipecat-ai/client-js";

/** What getUserMedia's error means to the Pipecat client. */
export function microphoneErrorType(error: unknown): DeviceError["type"] {
  if (!(error instanceof Error)) return "unknown";
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "permissions";
    case "NotFoundError":
      return "not-found";
    case "NotReadableError":
    case "AbortError":
      return "in-use";
    case "OverconstrainedError":
      return "constraints";
    default:
      return "unknown";
  }
}

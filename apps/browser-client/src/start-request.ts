import type { APIRequest } from "@pipecat-ai/client-js";

/** How long the runner may take to answer `POST /start`, in ms. */
const startTimeoutMs = 15_000;

/** The address of one of the runner's own paths, wherever this page is served: it lies one level below the runner's root. */
export function runnerUrl(path: string): string {
  return new URL(`../${path}`, location.href).href;
}

/** The request that starts a session of `transport`. */
export function startRequest(transport: string): APIRequest {
  return { endpoint: runnerUrl("start"), requestData: { transport }, timeout: startTimeoutMs };
}

import type { APIRequest } from "@pipecat-ai/client-js";
import { notFromRunner, rejected, unreachable } from "./notices.ts";

/** How long to wait for the answer to `POST /start`, in ms. */
const startTimeoutMs = 15_000;

const keyName = "pipecat-runner-api-key";

/** Returns the URL of one of the runner's paths. This page is one level below the runner's root, wherever it is served. */
export function runnerUrl(path: string): string {
  return new URL(`../${path}`, location.href).href;
}

/** The transports that the runner offers, in its order. */
export interface Status {
  readonly transports: readonly string[];
}

/** Requests `GET /status`. Rejects with an Error whose message is shown to the user. */
export async function fetchStatus(url: string, signal?: AbortSignal): Promise<Status> {
  const response = await fetch(url, { cache: "no-store", ...(signal ? { signal } : {}) }).catch((cause) => {
    throw new Error(unreachable(url), { cause });
  });
  if (!response.ok) throw new Error(rejected("GET", url, `${response.status} ${response.statusText}`.trim()));
  const body: unknown = await response.json().catch((cause) => {
    throw new Error(notFromRunner("GET", url), { cause });
  });
  const transports = typeof body === "object" && body !== null && "transports" in body ? body.transports : undefined;
  if (!Array.isArray(transports)) throw new Error(notFromRunner("GET", url));
  return { transports: transports.filter((name) => typeof name === "string") };
}

/** Returns the request that starts a session with `transport`. */
export function startRequest(transport: string): APIRequest {
  return { endpoint: runnerUrl("start"), requestData: { transport }, timeout: startTimeoutMs };
}

/** Stores the runner's API key until the tab is closed. */
export function storeApiKey(key: string): void {
  sessionStorage.setItem(keyName, key.trim());
}

/** Returns the headers that authenticate a request, or none if no API key is stored. */
export function apiKeyHeaders(): Headers {
  const key = sessionStorage.getItem(keyName);
  return new Headers(key ? { Authorization: `Bearer ${key}` } : {});
}

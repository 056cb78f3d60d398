import { NoticeError, notFromRunner, rejected, startFailed, unreachable } from "./notices.ts";
import { load, store } from "./storage.ts";

/** How long to wait for the answer to `GET /status` and `POST /start`, in ms. */
const answerTimeoutMs = 15_000;

const keyName = "pipecat-runner-api-key";

/** Returns the URL of one of the runner's paths. This page is one level below the runner's root, wherever it is served. */
export function runnerUrl(path: string): string {
  return new URL(`../${path}`, location.href).href;
}

/** A setting of a transport that limits it or keeps it from running. */
export interface TransportProblem {
  readonly name: string;
  readonly reason: string;
  readonly fix: string;
}

/** The transports that the runner offers, in its order, and what is missing for others or for some of their functions. */
export interface Status {
  readonly transports: readonly string[];
  readonly problems: readonly TransportProblem[];
  /** Whether requests need the API key: then the runner does not say what is missing, unless this page has sent the key. */
  readonly requiresKey: boolean;
}

/** Requests `GET /status?problems`. Rejects with an Error whose message is shown to the user. */
export async function fetchStatus(url: string, signal?: AbortSignal): Promise<Status> {
  const headers = apiKeyHeaders();
  const limits = [AbortSignal.timeout(answerTimeoutMs), ...(signal ? [signal] : [])];
  const request = { cache: "no-store", headers, signal: AbortSignal.any(limits) } as const;
  const response = await fetch(url, request).catch((cause) => {
    throw new Error(unreachable(url), { cause });
  });
  if (!response.ok) throw new Error(rejected("GET", url, `${response.status} ${response.statusText}`.trim()));
  const body: unknown = await response.json().catch((cause) => {
    throw new Error(cause instanceof SyntaxError ? notFromRunner("GET", url) : unreachable(url), { cause });
  });
  const { transports, problems } = Object(body) as { readonly transports?: unknown; readonly problems?: unknown };
  if (!Array.isArray(transports)) throw new Error(notFromRunner("GET", url));
  return {
    transports: transports.filter((name) => typeof name === "string"),
    problems: Array.isArray(problems) ? problems.filter(isProblem) : [],
    requiresKey: headers.has("Authorization") || !Array.isArray(problems),
  };
}

function isProblem(value: unknown): value is TransportProblem {
  const { name, reason, fix } = Object(value) as Readonly<Record<string, unknown>>;
  return [name, reason, fix].every((text) => typeof text === "string");
}

/** A started session, and the transport's reply. */
export interface StartedSession {
  readonly sessionId: string | undefined;
  readonly reply: unknown;
}

/** Starts a session with `transport`: `POST /start`. Rejects with a NoticeError that explains why there is none. */
export async function startSession(transport: string, signal: AbortSignal): Promise<StartedSession> {
  const url = runnerUrl("start");
  const headers = apiKeyHeaders();
  const hasKey = headers.has("Authorization");
  headers.set("Content-Type", "application/json");
  const timeout = AbortSignal.timeout(answerTimeoutMs);
  try {
    const request = { method: "POST", headers, body: JSON.stringify({ transport }) };
    const response = await fetch(url, { ...request, signal: AbortSignal.any([signal, timeout]) });
    const reply: unknown = await response.json();
    if (response.ok) return { sessionId: response.headers.get("X-Session-Id") ?? undefined, reply };
    const { detail } = Object(reply) as { readonly detail?: unknown };
    throw Object.assign(new Error(typeof detail === "string" ? detail : `status ${response.status}`), {
      status: response.status,
    });
  } catch (error) {
    throw new NoticeError(startFailed(url, error, hasKey));
  }
}

/** The types of RTVI messages that the session's bot handles, or undefined if the runner does not say so. */
export async function fetchHandled(sessionId: string, signal: AbortSignal): Promise<readonly unknown[] | undefined> {
  const response = await fetch(runnerUrl(`sessions/${sessionId}`), { headers: apiKeyHeaders(), signal });
  const { handles } = Object(response.ok ? await response.json() : {}) as { readonly handles?: unknown };
  return Array.isArray(handles) ? handles : undefined;
}

/** Stores the runner's API key until the tab is closed. */
export function storeApiKey(key: string): void {
  store("sessionStorage", keyName, key.trim());
}

/** Returns the headers that authenticate a request, or none if no API key is stored. */
export function apiKeyHeaders(): Headers {
  const key = load("sessionStorage", keyName);
  return new Headers(key ? { Authorization: `Bearer ${key}` } : {});
}

import { setImmediate as nextTurn } from "node:timers/promises";
import { type Clock, pause, systemClock } from "./clock.ts";
import { RunnerError } from "./errors.ts";
import { withTimeout } from "./timeout.ts";

/** One request to a vendor's REST API. */
export interface RestRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How often the request may be sent in total. Default 1. */
  readonly attempts?: number;
  /**
   * Whether the request may be sent twice. If so, it is sent again after a network error, a timeout or a 5xx answer; otherwise only
   * after 429, because the vendor did not process it. Default false.
   */
  readonly idempotent?: boolean;
}

/** The answer of a vendor's REST API, whatever its status. */
export interface RestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as text: at most 64 KiB. */
  readonly body: string;
}

/** Options of `createRestClient`. */
export interface RestClientOptions {
  /** The vendor's name in errors: `Twilio`. */
  readonly vendor: string;
  /** The code of the error for an API that does not answer: `CARRIER_REFUSED`. Its HTTP status is 502. */
  readonly unreachable: string;
  /** Duration of one attempt, in ms. Default 5,000. */
  readonly timeoutMs?: number;
  /** Pause before the second attempt, in ms; it doubles with each further attempt. Default 500. */
  readonly retryDelayMs?: number;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

/** The REST client of all transports. Every request uses a connection of its own, so that none stays open. */
export interface RestClient {
  /**
   * Sends a request, and repeats it as its `attempts` and `idempotent` allow. Resolves with the last answer, whatever its
   * status. Rejects when no answer arrives; the error names the vendor and the network error, never the URL, headers or body.
   */
  send(request: RestRequest): Promise<RestAnswer>;
  /** Waits until `limit` (ms, or a signal) for requests in progress, then aborts them and the pauses between their attempts. */
  close(limit: number | AbortSignal): Promise<void>;
}

const maxAnswerBytes = 65_536;
/** Longest pause that an answer may demand with `Retry-After`, in ms: a caller waits meanwhile. */
const maxRetryAfterMs = 5_000;

/** Creates the REST client of a transport. Rejects with the error code `unreachable` when the vendor does not answer. */
export function createRestClient(options: RestClientOptions): RestClient {
  const { vendor, unreachable, timeoutMs = 5_000, retryDelayMs = 500, clock = systemClock } = options;
  const inProgress = new Set<Promise<unknown>>();
  const closing = new AbortController();

  async function attempt(request: RestRequest): Promise<RestAnswer | Error> {
    const timeout = new AbortController();
    const cancel = clock.after(timeoutMs, () => timeout.abort(new Error(`no answer within ${timeoutMs / 1000} s`)));
    try {
      return await exchange(request, AbortSignal.any([timeout.signal, closing.signal]));
    } catch (error) {
      // Node reports an aborted request without the reason.
      const cause: unknown = timeout.signal.reason ?? closing.signal.reason ?? error;
      return cause instanceof Error ? cause : new Error(String(cause));
    } finally {
      cancel();
    }
  }

  async function send(request: RestRequest): Promise<RestAnswer> {
    const { attempts = 1 } = request;
    for (let made = 1, delayMs = retryDelayMs; ; made++, delayMs *= 2) {
      const answer = await attempt(request);
      if (made < attempts && !closing.signal.aborted && mayRepeat(request, answer)) {
        // Requests that were rejected together must not return together.
        const pauseMs = Math.max(delayMs * (1 + Math.random() / 2), retryAfterMs(answer));
        await pause(clock, pauseMs, closing.signal);
      } else if (!(answer instanceof Error)) return answer;
      else {
        const message = `The API of ${vendor} did not answer: ${answer.message}.`;
        const fix = "Check the network and the configured URL of the API.";
        throw new RunnerError(unreachable, message, { status: 502, fix, cause: answer });
      }
    }
  }

  async function allSettled(): Promise<void> {
    while (inProgress.size > 0) {
      await Promise.allSettled(inProgress);
      await nextTurn(); // A request may lead to another one: a call that was placed is canceled.
    }
  }

  return {
    send(request) {
      const sending = send(request);
      inProgress.add(sending);
      const forget = () => inProgress.delete(sending);
      sending.then(forget, forget);
      return sending;
    },
    async close(limit) {
      await withTimeout(allSettled(), limit);
      closing.abort(new Error("the runner stopped"));
    },
  };
}

function mayRepeat({ idempotent = false }: RestRequest, answer: RestAnswer | Error): boolean {
  if (answer instanceof Error) return idempotent;
  return answer.status === 429 || (idempotent && answer.status >= 500);
}

function retryAfterMs(answer: RestAnswer | Error): number {
  const seconds = answer instanceof Error ? 0 : Number(answer.headers["retry-after"] ?? 0);
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds * 1000), maxRetryAfterMs) : 0;
}

async function exchange({ method, url, headers = {}, body }: RestRequest, signal: AbortSignal): Promise<RestAnswer> {
  // Imported here: loading node:http initializes Node's fetch, which most programs that import this package never use.
  const { request } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false, signal }, (incoming) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= maxAnswerBytes) chunks.push(chunk);
        else outgoing.destroy(new Error(`the answer is larger than ${maxAnswerBytes} bytes`));
      });
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: text });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

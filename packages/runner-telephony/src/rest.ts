import { RunnerError } from "@pipecat-ts/runner-core";
import type { Clock } from "@pipecat-ts/runner-media";

/** One request to a carrier's REST API. */
export interface ApiRequest {
  readonly method: "POST" | "DELETE";
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether an answer says that there is nothing left to do, as when a call that is hung up was over already. */
  isDone?(status: number, body: string): boolean;
}

/** What a carrier's REST API answered. */
export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

/** The REST requests of one transport. */
export interface Rest {
  /**
   * Sends a request. Each try has 5 s; a network error, 429 and 5xx are tried again where there are `tries` left, 500 ms
   * later. Rejects with CARRIER_REFUSED, which names status and carrier and never the URL, the headers or the body.
   */
  send(what: string, request: ApiRequest, tries: number): Promise<ApiAnswer>;
  /** Waits up to `ms` for what is under way, then gives it up. */
  close(ms: number): Promise<void>;
}

const tryMs = 5_000;
const pauseMs = 500;
/** Answers are some hundred bytes of JSON. */
const maxAnswerBytes = 65_536;

/** The REST requests to the carrier called `title`. Every request has a connection of its own, so that none stays open. */
export function createRest(title: string, clock: Clock): Rest {
  const underWay = new Set<Promise<unknown>>();
  const controller = new AbortController();

  async function attempt(request: ApiRequest): Promise<ApiAnswer | Error> {
    const timeout = new AbortController();
    const cancel = clock.after(tryMs, () => timeout.abort(new Error(`no answer within ${tryMs / 1000} s`)));
    try {
      return await exchange(request, AbortSignal.any([timeout.signal, controller.signal]));
    } catch (error) {
      const { reason } = timeout.signal;
      return reason instanceof Error ? reason : error instanceof Error ? error : new Error(String(error));
    } finally {
      cancel();
    }
  }

  async function send(what: string, request: ApiRequest, tries: number): Promise<ApiAnswer> {
    for (let left = tries; ; left--) {
      const answer = await attempt(request);
      if (!(answer instanceof Error) && isDone(request, answer)) return answer;
      if (left > 1 && !controller.signal.aborted && isPassing(answer)) {
        await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
        continue;
      }
      // A network error's message has the host at most; the answer's body may repeat numbers.
      const said = answer instanceof Error ? answer.message : `status ${answer.status}`;
      throw new RunnerError("CARRIER_REFUSED", `${title} did not ${what}: ${said}.`, {
        fix: fixFor(answer, title),
        ...(answer instanceof Error ? { cause: answer } : {}),
      });
    }
  }

  return {
    send(what, request, tries) {
      const sending = send(what, request, tries);
      underWay.add(sending);
      const forget = () => underWay.delete(sending);
      sending.then(forget, forget);
      return sending;
    },
    async close(ms) {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const cancel = clock.after(ms, resolve);
      await Promise.race([Promise.allSettled(underWay), late]);
      cancel();
      controller.abort(new Error("the runner stopped"));
    },
  };
}

function isDone({ isDone: isOver }: ApiRequest, { status, body }: ApiAnswer): boolean {
  return (status >= 200 && status < 300) || isOver?.(status, body) === true;
}

function isPassing(answer: ApiAnswer | Error): boolean {
  return answer instanceof Error || answer.status === 429 || answer.status >= 500;
}

function fixFor(answer: ApiAnswer | Error, title: string): string {
  if (!(answer instanceof Error) && (answer.status === 401 || answer.status === 403))
    return "Check the credentials in the environment.";
  return `Look at the call in ${title}'s own log.`;
}

async function exchange({ method, url, headers, body }: ApiRequest, signal: AbortSignal): Promise<ApiAnswer> {
  // Not at the top: importing node:http sets up Node's own fetch, whether or not anybody ever hangs up.
  const { request } = url.protocol === "https:" ? await import("node:https") : await import("node:http");
  return await new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent: false, signal }, (incoming) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= maxAnswerBytes) chunks.push(chunk);
        else outgoing.destroy(new Error("an answer without end"));
      });
      incoming.on("error", reject);
      incoming.on("end", () => {
        resolve({ status: incoming.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

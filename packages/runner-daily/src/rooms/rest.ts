import { setTimeout as sleep } from "node:timers/promises";
import { DailyError, refusedBy } from "./daily-error.ts";
import type { RoomProperties, TokenProperties } from "./properties.ts";

/** A room as Daily describes it. https://docs.daily.co/reference/rest-api/rooms */
export interface DailyRoom {
  readonly name: string;
  readonly url: string;
  readonly config: { readonly sip_uri?: { readonly endpoint?: string }; readonly [property: string]: unknown };
  readonly [field: string]: unknown;
}

/** The part of Daily's REST API that a runner needs. Every method rejects with a `DailyError`. */
export interface DailyRest {
  createRoom(room: {
    readonly name?: string;
    readonly privacy?: "public" | "private";
    readonly properties: RoomProperties;
  }): Promise<DailyRoom>;
  getRoom(name: string): Promise<DailyRoom>;
  /** A room that is gone already is success. */
  deleteRoom(name: string): Promise<void>;
  createToken(properties: TokenProperties): Promise<string>;
  /** Sends the phone call that waits on hold into a room. */
  updatePinlessCall(call: PinlessCall): Promise<void>;
}

/** A phone call on hold, and the address in the room that it is to be sent to. */
export interface PinlessCall {
  readonly callId: string;
  readonly callDomain: string;
  readonly sipUri: string;
}

export interface DailyRestOptions {
  readonly apiKey: string;
  /** Default `https://api.daily.co/v1`. */
  readonly apiUrl?: string;
  /** How long one attempt may take, in ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** How long the first repetition waits, in ms; each further one twice as long. Default 500. */
  readonly retryDelayMs?: number;
}

/** An answer, read to its end. */
interface Answer {
  readonly response: Response;
  readonly text: string;
}

const attempts = 3;
/** Of requests that Daily does not take for their number: a few seconds later it does. */
const attemptsAtLimit = 5;
/** What Daily may ask for in `Retry-After` and get: a caller waits for the answer. */
const maxRetryAfterMs = 5_000;

/**
 * Reading and deleting may be repeated, and a token that nobody got costs nothing; a room would stay behind, and a call be
 * sent twice, where Daily did it and its answer was lost.
 */
type Effect = "repeatable" | "once";

/**
 * Daily's REST API. What it refuses for the number of requests (429) was not done, and is asked again, four times; requests
 * that may be made twice are repeated, twice, also when it says 5xx or does not answer. At most 20 requests a second are taken, and deletions 2. https://docs.daily.co/reference/rest-api#rate-limits
 */
export function createDailyRest(options: DailyRestOptions): DailyRest {
  const { apiKey, apiUrl = "https://api.daily.co/v1", timeoutMs = 10_000, retryDelayMs = 500 } = options;
  const base = apiUrl.replace(/\/+$/, "");

  async function attempt(method: string, path: string, body?: unknown): Promise<Answer> {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), timeoutMs);
    try {
      const response = await fetch(`${base}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: late.signal,
      });
      return { response, text: await response.text() };
    } catch (cause) {
      const why = late.signal.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(cause);
      throw new DailyError("DAILY_UNREACHABLE", `Daily's API at ${base} cannot be reached: ${why}.`, {
        cause,
        fix: "Check this machine's way to it, and DAILY_API_URL.",
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async function send(method: string, path: string, effect: Effect, body?: unknown): Promise<unknown> {
    for (let made = 1, delayMs = retryDelayMs; ; made++, delayMs *= 2) {
      const outcome = await attempt(method, path, body).then(
        ({ response, text }) => {
          if (response.ok) return { json: recogniseJson(text) };
          const error = refusedBy(`${method} ${path}`, response.status, text, apiKey);
          return { error, retryAfterMs: retryAfter(response) };
        },
        (error: unknown) => ({ error: error as DailyError, retryAfterMs: 0 }),
      );
      if ("json" in outcome) return outcome.json;
      const { error, retryAfterMs } = outcome;
      const { dailyStatus: status = 0 } = error;
      const mayRepeat = effect === "repeatable" && (status === 0 || status >= 500);
      if (status === 429 ? made === attemptsAtLimit : !mayRepeat || made === attempts) throw error;
      // Those that were refused together do not come together again.
      await sleep(Math.max(delayMs * (0.5 + Math.random() / 2), retryAfterMs));
    }
  }

  return {
    async createRoom({ privacy = "public", ...room }) {
      return requireRoom("POST /rooms", await send("POST", "/rooms", "once", { ...room, privacy }));
    },
    async getRoom(name) {
      const path = `/rooms/${encodeURIComponent(name)}`;
      return requireRoom(`GET ${path}`, await send("GET", path, "repeatable"));
    },
    async deleteRoom(name) {
      try {
        await send("DELETE", `/rooms/${encodeURIComponent(name)}`, "repeatable");
      } catch (error) {
        if (!(error instanceof DailyError) || error.dailyStatus !== 404) throw error;
      }
    },
    async createToken(properties) {
      const answer = await send("POST", "/meeting-tokens", "repeatable", { properties });
      const { token } = Object(answer) as { readonly token?: unknown };
      if (typeof token === "string" && token !== "") return token;
      throw strange("POST /meeting-tokens", "no token");
    },
    async updatePinlessCall(call) {
      await send("POST", "/dialin/pinlessCallUpdate", "once", call);
    },
  };
}

function requireRoom(request: string, answer: unknown): DailyRoom {
  const { name, url, config = {} } = Object(answer) as Partial<DailyRoom>;
  if (typeof name !== "string" || typeof url !== "string") throw strange(request, "no room");
  return { ...(answer as object), name, url, config };
}

function strange(request: string, lacks: string): DailyError {
  return new DailyError("DAILY_REFUSED", `Daily answered ${request} with success and ${lacks}.`, {
    fix: "Check that DAILY_API_URL is Daily's API.",
  });
}

function recogniseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Whoever wants a field of it finds none.
  }
}

function retryAfter({ headers }: Response): number {
  const seconds = Number(headers.get("retry-after") ?? 0);
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, maxRetryAfterMs) : 0;
}

/** `fetch` says "fetch failed", and why only in its cause. */
function reasonOf(error: unknown): string {
  const { cause, message } = error as { readonly cause?: { readonly code?: string }; readonly message: string };
  return cause?.code ?? message;
}

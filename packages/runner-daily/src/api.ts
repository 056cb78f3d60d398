import { setTimeout as sleep } from "node:timers/promises";
import { createRestClient, type RestAnswer, type RestRequest, RunnerError } from "@pipecat-ts/runner-core";
import type { RoomProperties, TokenProperties } from "./properties.ts";

/** A room as Daily describes it. https://docs.daily.co/reference/rest-api/rooms */
export interface DailyRoom {
  readonly name: string;
  readonly url: string;
  readonly config: { readonly sip_uri?: { readonly endpoint?: string }; readonly [property: string]: unknown };
  readonly [field: string]: unknown;
}

/** The part of Daily's REST API that a runner needs. Methods reject with DAILY_REFUSED (`DailyError`) or DAILY_UNREACHABLE. */
export interface DailyRest {
  /** Resolves when Daily accepts the API key. */
  checkKey(): Promise<void>;
  createRoom(room: {
    readonly name?: string;
    readonly privacy?: "public" | "private";
    readonly properties: RoomProperties;
  }): Promise<DailyRoom>;
  getRoom(name: string): Promise<DailyRoom>;
  /** Resolves also when the room does not exist. */
  deleteRoom(name: string): Promise<void>;
  createToken(properties: TokenProperties): Promise<string>;
  /** Connects a phone call that is on hold to a room. Sent once more after a 5xx answer or a network error. */
  updatePinlessCall(call: PinlessCall): Promise<void>;
  /** Waits until `limit` (ms, or a signal) for requests in progress, then aborts them. */
  close(limit: number | AbortSignal): Promise<void>;
}

/** A phone call on hold, and the SIP address of the room that Daily connects it to. */
export interface PinlessCall {
  readonly callId: string;
  readonly callDomain: string;
  readonly sipUri: string;
}

/** The Daily account whose REST API is called. */
export interface DailyRestOptions {
  readonly apiKey: string;
  /** Default `https://api.daily.co/v1`. */
  readonly apiUrl?: string;
  /** Duration of one attempt, in ms. Default 10,000. */
  readonly timeoutMs?: number;
  /** How often a request is sent in total. Default 5. */
  readonly attempts?: number;
  /** Pause before the second attempt, in ms; it doubles with each further attempt. Default 500. */
  readonly retryDelayMs?: number;
}

/** Daily limits requests per second; the pauses between five attempts add up to at least 7.5 s. */
const defaultAttempts = 5;

/**
 * A client of Daily's REST API. Each request is sent up to five times after 429. Requests that have no effect when repeated
 * (reading, deleting, creating a token) are repeated after 5xx and network errors too; connecting a phone call once. Daily accepts 20 requests and 2
 * deletions per second. https://docs.daily.co/reference/rest-api#rate-limits
 */
export function createDailyRest(options: DailyRestOptions): DailyRest {
  const { apiKey, apiUrl = "https://api.daily.co/v1", timeoutMs = 10_000, retryDelayMs = 500 } = options;
  const { attempts = defaultAttempts } = options;
  const base = apiUrl.replace(/\/+$/, "");
  const client = createRestClient({ vendor: "Daily", unreachable: "DAILY_UNREACHABLE", timeoutMs, retryDelayMs });

  async function send(
    method: RestRequest["method"],
    path: string,
    idempotent: boolean,
    body?: object,
  ): Promise<unknown> {
    const answer = await client.send({
      method,
      url: new URL(`${base}${path}`),
      headers: { authorization: `Bearer ${apiKey}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
      attempts,
      idempotent,
    });
    if (answer.status < 200 || answer.status > 299) throw refused(`${method} ${path}`, answer, apiKey);
    return parseJson(answer.body);
  }

  return {
    async checkKey() {
      await send("GET", "/rooms?limit=1", true);
    },
    async createRoom({ privacy = "public", ...room }) {
      return requireRoom("POST /rooms", await send("POST", "/rooms", false, { ...room, privacy }));
    },
    async getRoom(name) {
      const path = `/rooms/${encodeURIComponent(name)}`;
      return requireRoom(`GET ${path}`, await send("GET", path, true));
    },
    async deleteRoom(name) {
      try {
        await send("DELETE", `/rooms/${encodeURIComponent(name)}`, true);
      } catch (error) {
        if (!(error instanceof DailyError) || error.dailyStatus !== 404) throw error;
      }
    },
    async createToken(properties) {
      const answer = await send("POST", "/meeting-tokens", true, { properties });
      const { token } = Object(answer) as { readonly token?: unknown };
      if (typeof token === "string" && token !== "") return token;
      throw incomplete("POST /meeting-tokens", "token");
    },
    async updatePinlessCall(call) {
      // It may be sent twice, because it names one call and one address. A caller waits, so it is not sent five times.
      const update = () => send("POST", "/dialin/pinlessCallUpdate", false, call);
      try {
        await update();
      } catch (error) {
        if (error instanceof DailyError && (error.dailyStatus ?? 0) < 500) throw error;
        await sleep(retryDelayMs);
        await update();
      }
    },
    close: (limit) => client.close(limit),
  };
}

function requireRoom(request: string, answer: unknown): DailyRoom {
  const { name, url, config = {} } = Object(answer) as Partial<DailyRoom>;
  if (typeof name !== "string" || typeof url !== "string") throw incomplete(request, "room");
  return { ...(answer as object), name, url, config };
}

function incomplete(request: string, missing: string): DailyError {
  return new DailyError(`Daily answered ${request} with success but without a ${missing}.`, {
    fix: "Check that DAILY_API_URL is the URL of Daily's API.",
  });
}

/** An error answer of Daily's REST API. */
export interface DailyAnswer {
  /** The HTTP status of Daily's answer. */
  readonly dailyStatus?: number | undefined;
  /** Daily's stable name of the error: `invalid-request-error`. https://docs.daily.co/reference/rest-api#errors */
  readonly error?: string | undefined;
  /** Daily's explanation, without phone numbers and keys. */
  readonly info?: string | undefined;
}

/** Daily's REST API rejected a request: DAILY_REFUSED, status 502. */
export class DailyError extends RunnerError implements DailyAnswer {
  override readonly name: string = "DailyError";
  readonly dailyStatus: number | undefined;
  readonly error: string | undefined;
  readonly info: string | undefined;

  constructor(message: string, { dailyStatus, error, info, fix }: DailyAnswer & { readonly fix: string }) {
    super("DAILY_REFUSED", message, { status: 502, fix });
    this.dailyStatus = dailyStatus;
    this.error = error;
    this.info = info;
  }
}

/** `request` is the method and path of the request; `secret` is removed from Daily's text. */
function refused(request: string, { status, body }: RestAnswer, secret: string): DailyError {
  const redact = (text: string) => redactPhoneNumbers(text.replaceAll(secret, "…"));
  const json = parseJson(body);
  const answer = Object(json) as { readonly error?: unknown; readonly info?: unknown };
  const error = typeof answer.error === "string" ? redact(answer.error) : undefined;
  let info = typeof answer.info === "string" ? redact(answer.info) : "";
  // The page of a proxy. Redacted before it is cut: half a key would not be recognized.
  if (json === undefined) info = redact(body).slice(0, 200);
  const words = [error, info].filter(Boolean).join(": ");
  const message = `Daily answered ${request} with ${status}${words === "" ? "" : ` ${words}`}.`;
  return new DailyError(message, { dailyStatus: status, error, info, fix: fixFor(status) });
}

function fixFor(status: number): string {
  if (status === 401 || status === 403)
    return "Check DAILY_API_KEY. Keys are at https://dashboard.daily.co/developers.";
  if (status === 429) return "Start fewer sessions per second.";
  if (status >= 500) return "Try again, and check https://status.daily.co.";
  return "Correct the request as Daily's answer says.";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The caller reports a missing field, or shows the text.
  }
}

/** Removes phone numbers from Daily's texts, which repeat invalid values, such as a caller's number. */
export function redactPhoneNumbers(text: string): string {
  return text.replace(/\+\d[\d\s().-]{4,}\d/g, "+…");
}

import { RunnerError } from "@pipecat-ts/runner-core";
import type { DailyDialinRequest } from "../arguments.ts";
import type { RoomProperties } from "./properties.ts";

/** A phone call that waits on hold. */
export interface DialinCall {
  readonly callId: string;
  readonly callDomain: string;
  /** The number that was called. */
  readonly to: string;
  /** The caller's number. */
  readonly from: string;
  readonly sipHeaders?: Readonly<Record<string, unknown>>;
}

/** What Daily sends: a call, or a `test` when the webhook is set up. Throws BODY_INVALID, which names the field. */
export function parseDialin(rawBody: Uint8Array): DialinCall | "test" {
  const body = parseObject(rawBody);
  if (body.test || body.Test) return "test";
  const text = (...names: readonly [string, ...string[]]): string => {
    const value = names.map((name) => body[name]).find((given) => given !== undefined);
    if (typeof value === "string" && value !== "") return value;
    throw invalid(`"${names[0]}" in the body must be text that is not empty`);
  };
  const { sipHeaders } = body;
  const hasHeaders = sipHeaders !== undefined && sipHeaders !== null;
  if (hasHeaders && !isObject(sipHeaders)) throw invalid('"sipHeaders" in the body must be an object');
  return {
    callId: text("callId"),
    callDomain: text("callDomain"),
    to: text("To", "to"),
    from: text("From", "from"),
    ...(hasHeaders && { sipHeaders }),
  };
}

/** The properties of the room that a call is sent into: those of the Python runner. */
export function dialinRoomProperties({ from }: DialinCall): RoomProperties {
  return {
    // Daily takes names of up to 199 characters.
    sip: { display_name: from.slice(0, 199), video: false, sip_mode: "dial-in", num_endpoints: 1 },
  };
}

/** What the bot of a call gets as `args.body`. */
export function dialinRequest(
  { callId, callDomain, to, from, sipHeaders }: DialinCall,
  account: { readonly apiKey: string; readonly apiUrl: string },
): DailyDialinRequest {
  return {
    dialin_settings: {
      call_id: callId,
      call_domain: callDomain,
      To: to,
      From: from,
      ...(sipHeaders && { sip_headers: sipHeaders }),
    },
    daily_api_key: account.apiKey,
    daily_api_url: account.apiUrl,
  };
}

/** The call in a bot's `args.body`, `undefined` when there is none. */
export function recogniseDialin(body: unknown): { readonly callId: string; readonly callDomain: string } | undefined {
  const { dialin_settings: settings } = Object(body) as { readonly dialin_settings?: unknown };
  const { call_id: callId, call_domain: callDomain } = Object(settings) as Record<string, unknown>;
  return typeof callId === "string" && typeof callDomain === "string" ? { callId, callDomain } : undefined;
}

/** Whatever the content type says: Daily's requests are JSON. */
function parseObject(rawBody: Uint8Array): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(rawBody));
  } catch (cause) {
    throw invalid("The body is not valid JSON", cause);
  }
  if (isObject(body)) return body;
  throw invalid("The body is no JSON object");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The body holds the caller's number, so that nothing of it is repeated. */
function invalid(what: string, cause?: unknown): RunnerError {
  const kept = cause instanceof SyntaxError ? undefined : cause;
  return new RunnerError("BODY_INVALID", `${what}.`, {
    fix: "Daily sends From, To, callId and callDomain.",
    ...(kept !== undefined && { cause: kept }),
  });
}

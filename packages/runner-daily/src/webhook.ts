import { type HttpRoute, type Logger, RunnerError } from "@pipecat-ts/runner-core";
import type { DailyDialinRequest } from "./arguments.ts";
import type { RoomProperties } from "./properties.ts";
import { pinlessSignatureFault, type WebhookVerification } from "./signature.ts";

export interface DialinRouteOptions {
  readonly verification: WebhookVerification;
  readonly logger: Logger;
  /** Throws when this runner cannot accept phone calls now. */
  requireReady(): void;
  /** Starts the bot for a call and returns the reply to Daily. */
  answer(call: DialinCall): Promise<Readonly<Record<string, unknown>>>;
}

/** Largest body in bytes. Real ones have about 500, and the SIP headers. */
const maxBody = 65_536;

/**
 * The webhook that Daily calls when a phone number of the account rings.
 * https://docs.daily.co/guides/products/dial-in-dial-out/dialin-pinless
 */
export function createDialinRoute(options: DialinRouteOptions): HttpRoute {
  const { verification, logger, requireReady, answer } = options;
  let warnedOnce = false;

  return {
    method: "POST",
    path: "/daily-dialin-webhook",
    access: "carrier",
    summary: "Daily's webhook for phone calls",
    maxBody,
    async handle(ctx) {
      const { rawBody = "" } = ctx.request;
      const call = parseDialin(rawBody);
      // Daily sends it while the webhook is configured, before a secret exists.
      if (call === "test") {
        ctx.body = { status: "OK" };
        return;
      }
      if (verification === "reject") throw unverifiable();
      if (verification === "warn" && !warnedOnce) {
        warnedOnce = true;
        logger.warn(
          "dial-in webhooks are not verified: anyone who can reach this server can start bots. Set DAILY_PINLESS_HMAC_SECRET.",
        );
      }
      if (typeof verification === "object") {
        const signature = ctx.get("x-pinless-signature") || undefined;
        const timestamp = ctx.get("x-pinless-timestamp") || undefined;
        const fault = pinlessSignatureFault({ signature, timestamp, rawBody }, verification.secret, Date.now());
        if (fault !== undefined) throw signatureInvalid(fault);
      }
      requireReady();
      ctx.body = await answer(call);
    },
  };
}

function signatureInvalid(fault: string): RunnerError {
  return new RunnerError("DAILY_SIGNATURE_INVALID", `The dial-in webhook was rejected: ${fault}.`, {
    status: 401,
    fix: "Set DAILY_PINLESS_HMAC_SECRET to the current secret. Daily creates a new one whenever dial-in is configured without a secret.",
  });
}

function unverifiable(): RunnerError {
  const message =
    "The dial-in webhook was rejected: this server requires authentication and has no secret to verify the webhook.";
  return new RunnerError("DAILY_SIGNATURE_INVALID", message, {
    status: 401,
    fix: "Set DAILY_PINLESS_HMAC_SECRET (--daily-pinless-hmac-secret) to the secret that Daily signs with. --no-verify-signatures accepts unsigned calls.",
  });
}

/** A phone call on hold at Daily. */
export interface DialinCall {
  readonly callId: string;
  readonly callDomain: string;
  /** The called number. */
  readonly to: string;
  /** The caller's number. */
  readonly from: string;
  readonly sipHeaders?: Readonly<Record<string, unknown>>;
}

/** Longest text of a webhook. Call ids and numbers of Daily have at most 100 characters. */
const maxTextLength = 512;
/** SIP headers of a call that are passed to the bot. */
const maxSipHeaders = 128;

/** Parses a webhook body: a call, or the `test` that Daily sends during setup. Throws BODY_INVALID, which names the field. */
function parseDialin(rawBody: string): DialinCall | "test" {
  const body = parseObject(rawBody);
  if (body.test || body.Test) return "test";
  const text = (...names: readonly [string, ...string[]]): string => {
    const value = names.map((name) => body[name]).find((candidate) => candidate !== undefined);
    if (typeof value === "string" && value !== "" && value.length <= maxTextLength) return value;
    throw invalid(`"${names[0]}" in the body must be a string of 1 to ${maxTextLength} characters`);
  };
  const { sipHeaders } = body;
  const hasHeaders = sipHeaders !== undefined && sipHeaders !== null;
  if (hasHeaders && !(isObject(sipHeaders) && Object.keys(sipHeaders).length <= maxSipHeaders)) {
    throw invalid(`"sipHeaders" in the body must be an object with at most ${maxSipHeaders} fields`);
  }
  return {
    callId: text("callId"),
    callDomain: text("callDomain"),
    to: text("To", "to"),
    from: text("From", "from"),
    ...(hasHeaders && { sipHeaders }),
  };
}

/** Ignores the content type: Daily always sends JSON. */
function parseObject(rawBody: string): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(rawBody);
  } catch {
    // Without a cause: the parser's message quotes the body.
    throw invalid("The body is not valid JSON");
  }
  if (isObject(body)) return body;
  throw invalid("The body is not a JSON object");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Never quotes the body, which contains the caller's number. */
function invalid(fault: string): RunnerError {
  return new RunnerError("BODY_INVALID", `${fault}.`, { fix: "Daily sends From, To, callId and callDomain." });
}

/** The properties of the room for a phone call, as in the Python runner. */
export function dialinRoomProperties({ from }: DialinCall): RoomProperties {
  return {
    // Daily limits the name to 199 characters.
    sip: { display_name: from.slice(0, 199), video: false, sip_mode: "dial-in", num_endpoints: 1 },
  };
}

/** `args.body` for the bot of a phone call. */
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

/** The phone call in `args.body`; `undefined` when there is none. */
export function phoneCallIn(body: unknown): { readonly callId: string; readonly callDomain: string } | undefined {
  const { dialin_settings: settings } = Object(body) as { readonly dialin_settings?: unknown };
  const { call_id: callId, call_domain: callDomain } = Object(settings) as Record<string, unknown>;
  return typeof callId === "string" && typeof callDomain === "string" ? { callId, callDomain } : undefined;
}

import {
  type HttpRoute,
  isLoopback,
  isRunnerError,
  parseJson,
  type RouteContext,
  type RunnerContext,
  RunnerError,
  type Session,
} from "@pipecat-ts/runner-core";
import { isPhoneNumber, transferParameter } from "./api.ts";
import { sharedSocketPath } from "./call-router.ts";
import type { Carrier, CarrierDocument, CarrierOptions, WebhookCall, WebhookRequest } from "./carrier.ts";
import { maxTextLength, present } from "./json.ts";
import type { SignatureVerification } from "./signature.ts";
import { parseWhisper, type Whisper, whisperParameter } from "./whisper.ts";

/** The sessions of calls that a webhook announced and whose socket is not open yet. */
export interface PendingCalls {
  /** The pending session of a call. */
  find(callId: string): Session | undefined;
  add(session: Session, call: WebhookCall | undefined): void;
}

export interface WebhookOptions<Options extends CarrierOptions> {
  readonly runner: RunnerContext;
  readonly carrier: Carrier<Options>;
  readonly options: Options;
  readonly verification: SignatureVerification;
  readonly pendingCalls: PendingCalls;
}

/** Real requests have 2 kB. A thousand calls may be pending, each with its parameters. */
export const maxBody = 65_536;
/** Longest `?body=`, in characters. Longer URLs do not survive proxies. */
const maxBodyParameter = 16_384;

/**
 * The webhook at `/{name}`, and also at `/` when the runner serves this carrier alone; there, a GET without a call is left to
 * the web client. Each incoming call gets a pending session, and the reply makes the carrier open that session's socket.
 */
export function createWebhook<Options extends CarrierOptions>(settings: WebhookOptions<Options>): HttpRoute[] {
  const { runner, carrier, options, verification, pendingCalls } = settings;
  const { title, webhook, wire } = carrier;
  const { socketPath = sharedSocketPath } = wire;
  let warnedOnce = false;
  let warnedOfQuery = false;

  function recognizeCall(parameters: Parameters): WebhookCall | undefined {
    const call = webhook.recognizeCall(parameters);
    return call && carrier.ids.call.test(call.callId) ? call : undefined;
  }

  /** The parameters that the carrier sent, and nobody else. */
  function verifiedParameters(ctx: RouteContext, { query, body }: RequestParameters): Parameters {
    verification.verifyWebhook(ctx);
    if (verification.coversQuery) return { ...query, ...body };
    if (query.body !== undefined && !warnedOfQuery) {
      warnedOfQuery = true;
      const fix =
        "Pass data with POST /start, and put the URL of its reply into a document of your own. The runner cannot hang up such calls.";
      runner.logger.warn({ fix }, `?body= ignored: ${title} does not sign the query`);
    }
    return body;
  }

  function answer(ctx: RouteContext, parameters: Parameters): CarrierDocument {
    const call = recognizeCall(parameters);
    const { [transferParameter]: number, [whisperParameter]: whisper } = parameters;
    if (number !== undefined && webhook.transfer && isPhoneNumber(number)) {
      const whisperUrl = runner.url(`/${carrier.name}`, ctx.req);
      if (whisper !== undefined) whisperUrl.searchParams.set(whisperParameter, whisper);
      return webhook.transfer(number, whisper === undefined ? undefined : whisperUrl);
    }
    if (call?.ended) {
      void pendingCalls.find(call.callId)?.end("caller-left");
      return webhook.ended ?? { type: "text/plain", body: "" };
    }
    const url = bareSocketUrl(runner, socketPath, ctx.req);
    function socketUrl(): URL {
      if (!runner.settings.publicUrl) requireReachable(url);
      return runner.socketUrl(sessionOf(call, parameters), socketPath, ctx.req);
    }
    return answerOrBusy({ method: ctx.method, call, socketUrl, bareSocketUrl: url });
  }

  function answerOrBusy(request: WebhookRequest): CarrierDocument {
    try {
      return webhook.answer(request, options);
    } catch (err) {
      if (!webhook.busy || !isRunnerError(err) || (err.code !== "AT_CAPACITY" && err.code !== "DRAINING")) throw err;
      runner.countRejection(err.code);
      runner.logger.warn({ code: err.code }, "call answered with the busy tone");
      return webhook.busy;
    }
  }

  /** The session of the call. A webhook that is delivered twice gets the same one. */
  function sessionOf(call: WebhookCall | undefined, parameters: Parameters): Session {
    const known = call && pendingCalls.find(call.callId);
    if (known) return known;
    const session = runner.createSession({ body: bodyInQuery(parameters.body) });
    pendingCalls.add(session, call);
    return session;
  }

  /** Carriers open `wss` sockets only. Logged once, because anyone can cause it with a `Host` header. */
  function requireReachable(url: URL): void {
    if (url.protocol === "wss:" || isLoopback(url.hostname)) return;
    const err = publicUrlMissing(`${title} requires a wss URL`, url.host);
    if (!warnedOnce) runner.logger.warn({ err, fix: err.fix }, "call not answered");
    warnedOnce = true;
    throw err;
  }

  function route(path: string, isShared: boolean): HttpRoute {
    return {
      method: ["POST", "GET"],
      path,
      access: "carrier",
      summary: "A carrier's webhook for phone calls",
      acceptsUnverified: verification.acceptsUnverified,
      maxBody,
      handle(ctx, next) {
        const given = parametersOf(ctx);
        if (isShared && ctx.method === "GET" && !recognizeCall(given.query)) return next();
        const whisper = whisperIn(given.query);
        const { type, body } =
          whisper && webhook.whisper ? webhook.whisper(whisper) : answer(ctx, verifiedParameters(ctx, given));
        ctx.status = 200;
        ctx.type = type;
        ctx.body = body;
      },
    };
  }

  const isAlone = runner.settings.transport === carrier.name;
  return [route(`/${carrier.name}`, false), ...(isAlone ? [route("/", true)] : [])];
}

/**
 * The whisper that a request asks for. Its document says what the request says, so that it needs no signature: carriers that sign
 * bodies may fetch it without one.
 */
function whisperIn({ [transferParameter]: number, [whisperParameter]: whisper }: Parameters): Whisper | undefined {
  return number === undefined && whisper !== undefined ? parseWhisper(whisper) : undefined;
}

export type Parameters = Readonly<Record<string, string>>;

/** The parameters of a webhook request by their place. Those of its form or JSON body win over those of its query. */
interface RequestParameters {
  readonly query: Parameters;
  readonly body: Parameters;
}

/** The parameters of a webhook request that its signature may cover, long ones left out. */
export function parametersOf({ query, request: { body } }: RouteContext): RequestParameters {
  return { query: textsOf(query), body: textsOf(typeof body === "object" && body !== null ? body : {}) };
}

/** The texts that are short enough to be used. */
function textsOf(fields: object): Parameters {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => {
      const [name, value] = entry;
      return typeof value === "string" && value.length <= (name === "body" ? maxBodyParameter : maxTextLength);
    }),
  );
}

/** The socket URL that is not bound to a session. */
export function bareSocketUrl(runner: RunnerContext, path: string, request?: RouteContext["req"]): URL {
  return new URL(runner.url(path, request).href.replace(/^http/, "ws"));
}

/** The error when the carrier must reach this runner, and its public URL is not configured. */
export function publicUrlMissing(requirement: string, host = "<public hostname>"): RunnerError {
  return new RunnerError("PUBLIC_URL_MISSING", `${requirement}, and the public URL of this server is not configured.`, {
    fix: `Start the runner with --proxy ${host} or --public-url.`,
  });
}

/**
 * The value of `?body=` in a URL: JSON in base64 or base64url, as in Pipecat's examples. `undefined` when it is absent or
 * something else.
 */
export function bodyInQuery(encoded: string | null | undefined): unknown {
  if (!encoded || encoded.length > maxBodyParameter) return undefined;
  // An unescaped plus of base64 arrives as a space.
  return parseJson(Buffer.from(encoded.replaceAll(" ", "+"), "base64").toString("utf8")).value;
}

/**
 * The phone numbers in a socket URL from a document of your own, as `from_number` and `to_number` or `from` and `to`, for
 * carriers whose start message has none.
 */
export function numbersInQuery(query: URLSearchParams): { readonly from?: string; readonly to?: string } {
  const read = (name: string) => {
    const value = query.get(`${name}_number`) ?? query.get(name);
    // An unescaped plus arrives as a space.
    return value ? value.replace(/^ /, "+") : undefined;
  };
  return present({ from: read("from"), to: read("to") });
}

import {
  type HttpRoute,
  isLoopback,
  isRunnerError,
  type RouteContext,
  type RunnerContext,
  RunnerError,
  type Session,
} from "@pipecat-ts/runner-core";
import { bodyInQuery } from "./call-url.ts";
import type { Carrier, CarrierDocument, CarrierOptions, WebhookCall } from "./carrier.ts";
import type { Guard } from "./guard.ts";
import { isNumber } from "./phone-number.ts";
import { publicUrlMissing } from "./public-url.ts";
import { type Switchboard, socketPath } from "./switchboard.ts";

/** What a webhook is built from. */
export interface WebhookOptions<Options extends CarrierOptions> {
  readonly runner: RunnerContext;
  readonly carrier: Carrier<Options>;
  readonly options: Options;
  readonly guard: Guard;
  readonly switchboard: Switchboard;
}

/** The webhook's parameter that asks for the document of a transfer. */
export const transferParameter = "transferTo";

/** The largest request taken, in bytes. A thousand calls may wait, each with what its request said; real ones have 2 kB. */
const maxRequestBytes = 65_536;

/** Answers the carrier that asks what to do with a call. */
export type Webhook = HttpRoute["handle"];

/**
 * Makes a pending session for each call that comes in, and answers with the document that has the carrier open the
 * session's socket. With `forAll` it stands at a path that a browser may open, too: a GET that tells of no call is passed
 * on.
 */
export function createWebhook<Options extends CarrierOptions>(
  { runner, carrier, options, guard, switchboard }: WebhookOptions<Options>,
  forAll: boolean,
): Webhook {
  let told = false;
  return (ctx, next) => {
    if ((ctx.request.rawBody?.length ?? 0) > maxRequestBytes) {
      throw new RunnerError("BODY_TOO_LARGE", `No webhook of ${carrier.title} has more than ${maxRequestBytes} bytes.`);
    }
    const parameters = parametersOf(ctx);
    const call = carrier.webhook.recogniseCall(parameters);
    if (forAll && ctx.method === "GET" && !call) return next();
    guard.checkWebhook(ctx);
    const { [transferParameter]: number } = parameters;
    if (number !== undefined && carrier.webhook.transfer && isNumber(number)) {
      return reply(ctx, carrier.webhook.transfer(number));
    }
    if (call?.over) {
      endWaiting(call);
      return reply(ctx, carrier.webhook.over ?? { type: "text/plain", body: "" });
    }
    const socketUrl = () => {
      if (!runner.settings.publicUrl) requireReachable(urlOf(ctx, socketPath));
      return urlOf(ctx, `${socketPath}/${runner.socketSegment(waitFor(call, parameters))}`);
    };
    return reply(ctx, answerOrBusy({ method: ctx.method, socketUrl, anySocketUrl: urlOf(ctx, socketPath) }));
  };

  function answerOrBusy(request: Parameters<Carrier<Options>["webhook"]["answer"]>[0]): CarrierDocument {
    try {
      return carrier.webhook.answer(request, options);
    } catch (error) {
      const { busy } = carrier.webhook;
      if (!busy || !isRunnerError(error) || (error.code !== "AT_CAPACITY" && error.code !== "DRAINING")) throw error;
      runner.refused(error.code);
      runner.logger.warn(`A call found the line busy: ${error.message}`);
      return busy;
    }
  }

  /** The session that waits for the call. A webhook that is delivered twice gets the same one. */
  function waitFor(call: WebhookCall | undefined, parameters: Readonly<Record<string, string>>): Session {
    const known = call && switchboard.waiting(carrier.name, call.callId);
    if (known) return known;
    const body = bodyInQuery(parameters.body);
    const session = runner.createSession(body === undefined ? {} : { body });
    switchboard.expect(session, { carrier: carrier.name, callData: call?.callData ?? {}, byWebhook: true });
    if (call && !runner.findSession(call.callId)) session.alias(call.callId);
    return session;
  }

  /** A caller who hangs up before the socket is open is not waited for. */
  function endWaiting(call: WebhookCall): void {
    void switchboard.waiting(carrier.name, call.callId)?.end("caller-left");
  }

  /**
   * No carrier opens an unencrypted socket: what a tunnel's host makes of itself without --proxy is of no use. That may be
   * a stranger's doing as well, by any host name, so it is said once.
   */
  function requireReachable(url: URL): void {
    if (url.protocol === "wss:" || isLoopback(url.hostname)) return;
    const error = publicUrlMissing(`${carrier.title} takes wss URLs only`, url.host);
    if (!told) runner.logger.warn(`A call could not be taken. ${error.message} ${error.fix}`);
    told = true;
    throw error;
  }

  function urlOf(ctx: RouteContext, path: string): URL {
    return runner.urlFor(path, ctx.req, "ws");
  }

  function reply(ctx: RouteContext, { type, body }: CarrierDocument): void {
    ctx.status = 200;
    ctx.type = type;
    ctx.body = body;
  }
}

/** The parameters of a webhook request: those of its form or JSON, and those of its URL. */
function parametersOf(ctx: RouteContext): Readonly<Record<string, string>> {
  const { body } = ctx.request;
  const fields = { ...ctx.query, ...(typeof body === "object" && body !== null ? body : {}) };
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  type Call,
  type HttpRoute,
  parseJson,
  type RestClient,
  type RouteContext,
  type RunnerContext,
  RunnerError,
  type Session,
  type StartBody,
  type StartReply,
  safeEqual,
} from "@pipecat-ts/runner-core";
import { anyOf } from "./api.ts";
import { sharedSocketPath } from "./call-router.ts";
import type {
  ApiRequest,
  CallOutcome,
  Carrier,
  CarrierDialing,
  CarrierDocument,
  CarrierOptions,
  WebhookCall,
} from "./carrier.ts";
import { type Dial, parseDial } from "./dial.ts";
import type { SignatureVerification } from "./signature.ts";
import { bareSocketUrl, maxBody, type Parameters, parametersOf, publicUrlMissing } from "./webhook.ts";

/** How long a phone may ring, in s. The carrier gets it with the request. */
const ringSeconds = 60;
/** How much longer the session waits, in ms: the carrier may queue the call first, and reports afterwards. */
const noticeMs = 60_000;

export interface OutboundCallsOptions<Options extends CarrierOptions> {
  readonly runner: RunnerContext;
  readonly carrier: Carrier<Options>;
  readonly options: Options;
  readonly verification: SignatureVerification;
  readonly rest: RestClient;
  /** Takes what is known about the call of a session, each time that more is known. */
  announce(session: Session, call: Partial<WebhookCall>): void;
}

/**
 * The calls that this runner placed with one carrier. The carrier requests `/{name}/answer/{call}` when a call is answered, and
 * reports to `/{name}/status/{call}`. `{call}` is the session's id and a secret that only the carrier got.
 */
export interface OutboundCalls {
  readonly routes: readonly HttpRoute[];
  /**
   * Answers a start request with the field `dial`. Rejects with the errors of `parseDial`, with DIAL_UNSUPPORTED,
   * CARRIER_CREDENTIALS_MISSING, PUBLIC_URL_MISSING, RATE_EXCEEDED, AT_CAPACITY, DRAINING, CARRIER_REFUSED, or CALL_ENDED when the
   * session ended meanwhile.
   */
  place(body: StartBody, request: IncomingMessage): Promise<StartReply>;
  /** Whether this runner called the caller of a session. */
  has(session: Session): boolean;
  /** Whether a call with this id may connect to the socket of a session. */
  accepts(session: Session, callId: string): boolean;
  /** The bot of the session runs. From now on, the media stream ends the call. */
  connected(session: Session, bot: Pick<Call, "left" | "event">): void;
  /** Cancels a call that rang when its process crashed. */
  cancelAfterCrash(record: RingingRecord): Promise<void>;
  /** Stops waiting for the ids of calls that must be canceled, and logs that they were not. */
  close(): void;
}

/** What is kept of a ringing call for the case that its process crashes. */
export interface RingingRecord {
  readonly placedId: string;
}

interface PlacedCall {
  readonly session: Session;
  readonly dial: Dial;
  readonly secret: string;
  /** `canceling`: its session has ended, but its id is not known yet. `over`: the carrier has reported its end. */
  phase: "placing" | "ringing" | "answered" | "connected" | "canceling" | "over";
  /** Resolves when the carrier has answered the request. */
  readonly placed: Promise<void>;
  /** The id in the carrier's answer. */
  placedId?: string | undefined;
  callId?: string | undefined;
  /** Stops waiting for the id of a call that must be canceled. */
  stopWaiting?: () => void;
  /** Tells the bot that runs. */
  bot?: Pick<Call, "left" | "event">;
  /** Whether the carrier has reported an answering machine that the bot must learn of. */
  isMachine?: boolean;
}

export function createOutboundCalls<Options extends CarrierOptions>(
  settings: OutboundCallsOptions<Options>,
): OutboundCalls {
  const { runner, carrier, options, verification, rest, announce } = settings;
  const { name, title, api, dialing, webhook, wire } = carrier;
  const { socketPath = sharedSocketPath } = wire;
  const calls = new Map<string, PlacedCall>();
  let isClosed = false;

  /** Throws when the carrier cannot call, or not yet. */
  function requireDialing({ machineDetection }: Dial): CarrierDialing<Options> {
    if (machineDetection && dialing?.cannotDetectMachines) {
      throw new RunnerError("DIAL_UNSUPPORTED", `${title} cannot detect answering machines.`, {
        fix: 'Omit "machineDetection".',
      });
    }
    if (!dialing) {
      throw new RunnerError("DIAL_UNSUPPORTED", `The runner cannot place calls with ${title}.`, {
        fix: `Call with the API of ${title}, or install another carrier.`,
      });
    }
    const fixes = missingForDialing(carrier, options);
    if (fixes.length > 0) {
      throw new RunnerError("CARRIER_CREDENTIALS_MISSING", `Settings for calls with ${title} are missing.`, {
        fix: anyOf(fixes),
      });
    }
    if (!runner.settings.publicUrl) throw publicUrlMissing(`${title} reports to this server when a call is answered`);
    if (dialing.hangUp && !verification.verifiesWebhooks && !verification.acceptsUnverified) {
      throw new RunnerError("CARRIER_CREDENTIALS_MISSING", `Reports of ${title} cannot be verified.`, {
        fix: verification.fix ?? carrier.signatures?.fix,
      });
    }
    return dialing;
  }

  async function place({ dial: given, body }: StartBody, request: IncomingMessage): Promise<StartReply> {
    const dial = parseDial(given, options);
    const usable = requireDialing(dial);
    if (!(await runner.takePermit("outbound-calls", options.dialLimit))) {
      throw new RunnerError(
        "RATE_EXCEEDED",
        `The limit of outbound calls per minute is reached: ${options.dialLimit}.`,
        {
          fix: "Try again in a minute, or raise --dial-limit.",
        },
      );
    }
    const session = runner.createSession({ body, ringMs: ringSeconds * 1_000 + noticeMs });
    const { promise: placed, resolve } = Promise.withResolvers<void>();
    const secret = randomBytes(16).toString("base64url");
    const call: PlacedCall = { session, dial, secret, placed, phase: "placing" };
    calls.set(session.id, call);
    announceCall(call, {});
    session.onEnd(() => end(call));
    try {
      await sendRequest(call, usable, request);
    } catch (error) {
      if (call.phase === "placing") {
        calls.delete(session.id);
        call.phase = "over";
      }
      await session.end("failed");
      throw error;
    } finally {
      resolve();
    }
    session.logger.info("call placed");
    return { sessionId: session.id, body: { sessionId: session.id } };
  }

  async function sendRequest(call: PlacedCall, usable: CarrierDialing<Options>, request: IncomingMessage) {
    const { session, dial, secret } = call;
    const url = (kind: string) => runner.url(`/${name}/${kind}/${session.id}.${secret}`, request);
    const answer = await rest.send(
      usable.request(
        {
          ...dial,
          machineDetection: dial.machineDetection !== false,
          answerUrl: url("answer"),
          statusUrl: url("status"),
          socketUrl: () => runner.socketUrl(session, socketPath, request),
          ringSeconds,
        },
        options,
      ),
    );
    const { status, body } = answer;
    const { value } = parseJson(body);
    if (status < 200 || status >= 300) throw notPlaced(status, body);
    const placedId = typeof value === "object" && value !== null ? usable.placedId?.({ ...value }) : undefined;
    if (!usable.placedIdIn && placedId !== undefined && !carrier.ids.call.test(placedId)) throw notPlaced(status, body);
    call.placedId = placedId;
    if (!usable.placedIdIn) call.callId = placedId;
    if (session.state === "ended") {
      const fate = (await cancel(call)) ? "is canceled" : "could not be canceled, and may ring";
      throw new RunnerError("CALL_ENDED", `The session ended while its call was placed. The call ${fate}.`);
    }
    call.phase = "ringing";
    remember(call);
    announceCall(call, {});
  }

  /** The answer may contain phone numbers: only its error code is quoted. */
  function notPlaced(status: number, body: string): RunnerError {
    const code = /"code"\s*:\s*"?(\d{3,6})\b/.exec(body)?.[1];
    const error = code === undefined ? "" : `, error ${code}`;
    const fix =
      status === 401 || status === 403
        ? `Check the credentials, and that the account may call this country. ${anyOf(api?.fixes ?? [])}`.trim()
        : `Check that the number in "from" belongs to the account, and look up the call in the log of ${title}.`;
    return new RunnerError("CARRIER_REFUSED", `${title} did not place the call: status ${status}${error}.`, { fix });
  }

  function remember({ session, placedId }: PlacedCall): void {
    if (placedId !== undefined) session.rememberForCrash({ placedId } satisfies RingingRecord);
  }

  function announceCall({ session, dial: { to, from }, callId }: PlacedCall, fields: WebhookCall["callData"]): void {
    const callData = { ...fields, to, from, direction: "outbound" };
    announce(session, callId === undefined ? { callData } : { callId, callData });
  }

  /** The session has ended. The call must end too, unless its media stream ends it. */
  async function end(call: PlacedCall): Promise<void> {
    if (call.phase === "placing") return; // `sendRequest` cancels it.
    calls.delete(call.session.id);
    if (call.phase === "ringing" || call.phase === "answered") await cancel(call);
  }

  /** Resolves to whether the call is canceled. */
  async function cancel(call: PlacedCall): Promise<boolean> {
    const { session, phase, placedId, callId } = call;
    calls.delete(session.id);
    const request = phase === "answered" ? hangUpRequest(callId) : cancelRequest(placedId);
    if (request) return await sendCancel(request, session.logger);
    if (api && placedId === undefined && callId === undefined) cancelLater(call);
    else session.logger.warn("call not canceled: its phone may ring on");
    return false;
  }

  /** Some carriers name a call in their reports only: the next one tells which call to cancel. */
  function cancelLater(call: PlacedCall): void {
    call.phase = "canceling";
    calls.set(call.session.id, call);
    if (isClosed) abandon(call);
    else call.stopWaiting = runner.pacer.clock.after(ringSeconds * 1_000 + noticeMs, () => abandon(call));
  }

  function abandon({ session, stopWaiting }: PlacedCall): void {
    stopWaiting?.();
    calls.delete(session.id);
    session.logger.warn("call not canceled: its carrier has not reported its id");
  }

  /** Resolves to whether the carrier has canceled the call. */
  async function sendCancel(request: ApiRequest, logger: Session["logger"]): Promise<boolean> {
    try {
      const answer = await rest.send({ ...request, attempts: 2, idempotent: true });
      const { status } = answer;
      const isCanceled = (status >= 200 && status < 300) || request.isDone?.(answer) === true;
      if (isCanceled) logger.debug("call canceled");
      else logger.warn({ status }, "call not canceled");
      return isCanceled;
    } catch (err) {
      logger.warn({ err }, "call not canceled");
      return false;
    }
  }

  function cancelRequest(placedId: string | undefined): ApiRequest | undefined {
    if (placedId === undefined) return undefined;
    return dialing?.cancel ? dialing.cancel(placedId, options) : hangUpRequest(placedId);
  }

  function hangUpRequest(callId: string | undefined): ApiRequest | undefined {
    return callId === undefined ? undefined : api?.hangUp({ callId, streamId: "" }, options);
  }

  /** The call that a callback is about: its URL has the secret, and its ids are those of the call. */
  async function findCall({ call: named = "" }: Parameters, parameters: Parameters): Promise<PlacedCall | undefined> {
    const [, id = "", secret] = /^([\w-]{1,128})\.([\w-]{22})$/.exec(named) ?? [];
    const call = calls.get(id);
    if (!call || !safeEqual(call.secret, secret)) return undefined;
    // The callback may arrive before the answer to the request.
    await call.placed;
    const callId = dialing?.callIdIn ? dialing.callIdIn(parameters) : webhook.recognizeCall(parameters)?.callId;
    if (callId === undefined || !carrier.ids.call.test(callId) || call.phase === "over") return undefined;
    const placedId = dialing?.placedIdIn ? dialing.placedIdIn(parameters) : callId;
    if (call.placedId !== undefined && placedId !== undefined && placedId !== call.placedId) return undefined;
    if (call.callId !== undefined && callId !== call.callId) return undefined;
    if (call.phase === "canceling") {
      call.stopWaiting?.();
      calls.delete(id);
      const request = hangUpRequest(callId);
      if (request) void sendCancel(request, call.session.logger);
      return undefined;
    }
    if (call.callId === undefined) {
      call.callId = callId;
      call.placedId ??= placedId;
      remember(call);
    }
    addRequestToCapture(id);
    return call;
  }

  /** The host captures a request with the sessions that were found while it was handled. */
  function addRequestToCapture(sessionId: string): void {
    runner.findSession(sessionId);
  }

  function verifiedParameters(ctx: RouteContext, isSigned: boolean): Parameters {
    if (isSigned) verification.verifyWebhook(ctx);
    const { query, body } = parametersOf(ctx);
    return isSigned && !verification.coversQuery ? body : { ...query, ...body };
  }

  async function answer(ctx: RouteContext, refused: CarrierDocument): Promise<CarrierDocument> {
    const parameters = verifiedParameters(ctx, true);
    const call = await findCall(ctx.params, parameters);
    if (call?.session.state !== "pending") return refused;
    const { session } = call;
    if (call.phase === "ringing") session.logger.info("call answered");
    call.phase = "answered";
    const recognized = webhook.recognizeCall(parameters);
    announceCall(call, recognized?.callData ?? {});
    return webhook.answer(
      {
        method: ctx.method,
        call: recognized,
        socketUrl: () => runner.socketUrl(session, socketPath, ctx.req),
        bareSocketUrl: bareSocketUrl(runner, socketPath, ctx.req),
      },
      options,
    );
  }

  function settle(call: PlacedCall, outcome: CallOutcome): void {
    const { session, phase, bot, dial } = call;
    if (outcome === "machine" && dial.machineDetection === "report") {
      if (call.isMachine) return;
      session.logger.info("answering machine detected");
      call.isMachine = true;
      bot?.event("machineAnswered");
    } else if (outcome === "machine" && bot) bot.left("machine");
    else if (outcome === "machine") void session.end("machine");
    else if (phase !== "connected") {
      call.phase = "over";
      void session.end(outcome === "completed" ? "caller-left" : outcome);
    }
  }

  function routesOf({ hangUp, outcome, hasUnsignedStatus = false }: CarrierDialing<Options>): HttpRoute[] {
    const common = { method: ["POST", "GET"], access: "carrier", maxBody } as const;
    const status: HttpRoute = {
      ...common,
      path: `/${name}/status/:call`,
      summary: "A carrier reports how an outbound call ended",
      async handle(ctx) {
        const parameters = verifiedParameters(ctx, !hasUnsignedStatus);
        const call = await findCall(ctx.params, parameters);
        const reported = call && outcome(parameters);
        if (call && reported !== undefined) settle(call, reported);
        reply(ctx, { type: "text/plain", body: "" });
      },
    };
    if (!hangUp) return [status];
    const answered: HttpRoute = {
      ...common,
      path: `/${name}/answer/:call`,
      summary: "A carrier requests the document of an outbound call that was answered",
      async handle(ctx) {
        reply(ctx, await answer(ctx, hangUp));
      },
    };
    return [status, answered];
  }

  return {
    routes: dialing ? routesOf(dialing) : [],
    place,
    has: ({ id }) => calls.has(id),
    accepts({ id }, callId) {
      const call = calls.get(id);
      return !call || call.callId === callId;
    },
    connected({ id }, bot) {
      const call = calls.get(id);
      if (!call) return;
      Object.assign(call, { phase: "connected", bot });
      if (call.isMachine) bot.event("machineAnswered");
    },
    async cancelAfterCrash({ placedId }) {
      const request = cancelRequest(placedId);
      if (request) await sendCancel(request, runner.logger);
    },
    close() {
      isClosed = true;
      for (const call of calls.values()) if (call.phase === "canceling") abandon(call);
    },
  };
}

function reply(ctx: RouteContext, { type, body }: CarrierDocument): void {
  ctx.status = 200;
  ctx.type = type;
  ctx.body = body;
}

/** How to configure what is missing for outbound calls: each of these is enough. Empty when nothing is missing. */
export function missingForDialing<Options extends CarrierOptions>(
  { api, dialing }: Carrier<Options>,
  options: Options,
): readonly string[] {
  if (api && !api.isReady(options)) return api.fixes;
  const fix = dialing?.missing?.(options);
  return fix === undefined ? [] : [fix];
}

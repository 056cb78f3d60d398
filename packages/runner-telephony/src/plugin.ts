import type { IncomingMessage } from "node:http";
import {
  type Availability,
  type CallData,
  type CloseReason,
  contractVersion,
  createRestClient,
  isExposed,
  isReachable,
  type OpenTransport,
  type RunnerContext,
  RunnerError,
  type RunnerSettings,
  type Session,
  type SessionArguments,
  type SocketHandlers,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import { anyOf, createCallControl } from "./api.ts";
import {
  awaitStart,
  callRouterOf,
  hasValidIds,
  maxMessageBytes,
  type RoutedCarrier,
  type StartedCall,
  sharedSocketPath,
} from "./call-router.ts";
import type { Carrier, CarrierOptions, WebhookCall } from "./carrier.ts";
import { checkDialOptions } from "./dial.ts";
import { doctorChecks } from "./doctor.ts";
import { createOutboundCalls, missingForDialing, type RingingRecord } from "./outbound-calls.ts";
import { createMediaStream } from "./port.ts";
import { createSignatureVerification, signatureInvalid, webhookPolicy } from "./signature.ts";
import { bareSocketUrl, bodyInQuery, createWebhook, numbersInQuery, publicUrlMissing } from "./webhook.ts";

/** The messages with audio of all carriers, in both directions. */
const mediaEvent = /"event"\s*:\s*"(?:media|playAudio)"/;
/** How long a closing runner waits for hang-ups in progress, in ms. */
const lastHangUpsMs = 1_500;

/** Creates the transport plugin of a carrier: webhook, media stream socket, sessions, media and hang-up. */
export function createTelephonyPlugin<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
): TransportPlugin<Options> {
  return {
    apiVersion: contractVersion,
    name: carrier.name,
    options: carrier.options,
    check: (options, settings) => availabilityOf(carrier, options, settings),
    open: (runner, options) => openCarrier(carrier, runner, options),
    advanced: { doctor: (options, context) => doctorChecks(carrier, options, context) },
  };
}

function openCarrier<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  runner: RunnerContext,
  options: Options,
): OpenTransport {
  const { name, title, wire } = carrier;
  const { socketPath = sharedSocketPath } = wire;
  const { pacer, settings } = runner;
  checkDialOptions(options, settings);
  const rest = createRestClient({ vendor: title, unreachable: "CARRIER_REFUSED" });
  const verification = createSignatureVerification(carrier, options, settings);
  /** What the webhook reported about the call of a session. Sessions of `/start` have no entry, unless the runner placed the call. */
  const webhookCalls = new WeakMap<Session, Partial<WebhookCall>>();
  const pendingCalls = {
    find: (callId: string) => findPending(callId, verification.verifiesWebhooks),
    add(session: Session, call: WebhookCall | undefined): void {
      webhookCalls.set(session, call ?? {});
      const alias = call && aliasOf(call.callId, verification.verifiesWebhooks);
      if (alias !== undefined && !runner.findSession(alias)) session.alias(alias);
    },
  };

  /** Anyone can name any call: a caller that is not verified must neither find nor block a verified call. */
  function aliasOf(callId: string, isVerified: boolean): string {
    return isVerified ? callId : `unverified:${callId}`;
  }

  function findPending(callId: string, isVerified: boolean): Session | undefined {
    const session = runner.findSession(aliasOf(callId, isVerified));
    return session?.state === "pending" ? session : undefined;
  }

  const outbound = createOutboundCalls({
    ...{ runner, carrier, options, verification, rest },
    announce: (session, call) => void webhookCalls.set(session, call),
  });

  const controlOptions = {
    carrier,
    options,
    verificationFix: verification.fix ?? "Let the webhook of this runner answer the call.",
    rest,
  };

  function documentUrl(parameters: Readonly<Record<string, string>>, request?: IncomingMessage): URL {
    const url = runner.url(`/${name}`, request);
    if (!settings.publicUrl && url.protocol !== "https:") {
      throw publicUrlMissing(`${title} fetches the document of a transfer from an https URL`);
    }
    for (const [key, value] of Object.entries(parameters)) url.searchParams.set(key, value);
    return url;
  }

  function answer(started: StartedCall): SocketHandlers {
    const { session: named, callData, request } = started;
    if (!named && !request.hasKey) {
      if (!verification.allowsUpgrade(request.request, false)) throw signatureInvalid(title);
      // The socket follows the rule of the webhook, which rejects unsigned requests.
      if (verification.verifiesWebhooks && !carrier.signatures?.verifyUpgrade) throw sessionMissing(title);
    }
    if (named && named.state !== "pending") {
      const fault =
        named.state === "ended" ? "This session has ended." : "The caller of this session is already connected.";
      throw new RunnerError("SESSION_NOT_PENDING", fault, { fix: "Use each socket URL for one call." });
    }
    if (named && !outbound.accepts(named, callData.callId)) throw callIdInvalid(title);
    const isSigned = verification.checkUpgrade(request.request) === "valid";
    const session = named ?? findPending(callData.callId, isSigned) ?? runner.createSession();
    try {
      return run(session, started);
    } catch (error) {
      void session.end("transport-failed");
      throw error;
    }
  }

  /** Verifies the socket of a session. One from POST /start needs no signature: a web page may use it to act as a phone. */
  function verifyNamed(session: Session, request: IncomingMessage): boolean {
    const signature = verification.checkUpgrade(request);
    const isRejected = webhookCalls.has(session) && !verification.allowsUpgrade(request, true);
    if (signature === "invalid" || isRejected) throw signatureInvalid(title);
    return signature === "valid";
  }

  /** A web page that acts as a phone, on the socket of a session from POST /start, makes up its ids. */
  function acceptsAnyIds(named: Session | undefined): boolean {
    return named !== undefined && !webhookCalls.has(named);
  }

  /**
   * Whether the carrier named the call, in a signed upgrade request, in a verified webhook, or when the runner placed the call. Others
   * may name any call.
   */
  function isVerifiedCall(session: Session, call: CallData, request: IncomingMessage): boolean {
    if (!hasValidIds(carrier, call)) return false;
    if (verification.checkUpgrade(request) === "valid") return true;
    const isTold = verification.verifiesWebhooks || outbound.has(session);
    return isTold && webhookCalls.get(session)?.callId === call.callId;
  }

  function run(session: Session, started: StartedCall): SocketHandlers {
    const { start, callData: announced, socket, request, session: named } = started;
    const fromWebhook = webhookCalls.get(session);
    // The URL in a webhook reply has no such query.
    const query = fromWebhook ? new URLSearchParams() : request.url.searchParams;
    const callData: CallData = { ...numbersInQuery(query), ...announced, ...fromWebhook?.callData };
    const isVerified = isVerifiedCall(session, callData, request.request);
    const alias = aliasOf(callData.callId, isVerified);
    // Rejects a second socket for a call in progress. Web pages that act as phones may all have the same id.
    const isPage = acceptsAnyIds(named) && !isVerified;
    const other = runner.findSession(alias);
    if (!isPage && other !== session) {
      if (other) throw callConnected();
      session.alias(alias);
    }
    const { logger } = session;
    const control = createCallControl({
      ...controlOptions,
      call: callData,
      isVerified,
      logger,
      documentUrl: (parameters) => documentUrl(parameters, request.request),
    });
    const isRemembered = isVerified && carrier.api?.isReady(options) === true;
    if (isRemembered) {
      const { from: _from, to: _to, body: _body, ...ids } = callData;
      session.rememberForCrash(ids);
    }
    const body = [session.body, bodyInQuery(query.get("body")), callData.body].find((each) => each !== undefined);
    const codec = wire.createCodec(start, announced, options);
    session.onEnd(() => codec.close?.());
    // A bot that creates its transport gets this error. Another one must not end the process with it.
    codec.ready?.catch(() => undefined);
    const call = session.run<SessionArguments>({ callData, body }, (params) => stream.connect(params));
    const { endsSilently = false } = wire;
    outbound.connected(session, call);
    const isReplaced = () => {
      const found = runner.findSession(alias);
      return found !== undefined && found !== session;
    };
    const released = () => {
      if (isRemembered) session.rememberForCrash({});
    };
    const stream = createMediaStream(call, {
      ...{ socket, codec, control, title, endsSilently },
      ...{ isReplaced, released, pacer, logger },
    });
    session.onEnd(stream.end);
    call.connected();
    return {
      message: session.bind(stream.message),
      closed: session.bind((code: number, reason?: CloseReason) => {
        stream.closed(code);
        // The host does not know the session of a bare socket.
        if (!request.isAnnounced) call.left(reason);
      }),
    };
  }

  const routed: RoutedCarrier = {
    runner,
    title,
    ids: carrier.ids,
    earlyEvents: wire.earlyEvents,
    verification,
    recognizeCall: wire.recognizeCall,
    acceptsAnyIds,
    answer,
  };
  const router = callRouterOf(runner, socketPath);
  const removeFromRouter = router.add(routed);
  return {
    routes: [...createWebhook({ runner, carrier, options, verification, pendingCalls }), ...outbound.routes],
    sockets: [
      {
        path: socketPath,
        access: "carrier",
        maxPayload: maxMessageBytes,
        verify: (upgrade) => (upgrade.session ? verifyNamed(upgrade.session, upgrade.request) : router.verify(upgrade)),
        accept: (socket, request) =>
          request.isAnnounced ? awaitStart([routed], socket, request, request.session) : router.accept(socket, request),
        isMedia: (message) => typeof message !== "string" || mediaEvent.test(message),
      },
    ],
    start({ body, request }) {
      if (body.dial !== undefined) return outbound.place(body, request);
      const session = runner.createSession({ body: body.body });
      return { sessionId: session.id, body: { wsUrl: runner.socketUrl(session, socketPath, request).href } };
    },
    async close() {
      removeFromRouter();
      outbound.close();
      await rest.close(lastHangUpsMs);
    },
    advanced: {
      claims: ({ dial }) => dial !== undefined,
      async cleanUpAfterCrash(record) {
        if ("placedId" in record) return await outbound.cancelAfterCrash(record as RingingRecord);
        if (!("callId" in record)) return;
        const { logger } = runner;
        const call = record as CallData;
        await createCallControl({
          ...controlOptions,
          call,
          isVerified: true,
          logger,
          documentUrl,
        }).hangUp();
      },
      banner: () =>
        isReachable(settings)
          ? [
              carrier.banner(
                runner.url(settings.transport === name ? "/" : `/${name}`),
                bareSocketUrl(runner, socketPath),
              ),
            ]
          : [],
    },
  };
}

function callConnected(): RunnerError {
  const fix = "Open one WebSocket for each call.";
  return new RunnerError("SESSION_ALIAS_TAKEN", "This call already has a WebSocket.", { fix });
}

function callIdInvalid(title: string): RunnerError {
  return new RunnerError("CALL_ID_INVALID", `The socket is not of the call that ${title} was asked to place.`, {
    fix: "Only the carrier can open the socket of an outbound call.",
  });
}

function sessionMissing(title: string): RunnerError {
  return new RunnerError("SIGNATURE_INVALID", `${title} does not sign WebSockets, and this one names no session.`, {
    fix: "Let the runner's webhook answer the call, or set --api-key and add ?token=<key> to the URL.",
  });
}

/** What is missing for calls of this carrier. The transport works without it, with limits. */
function availabilityOf<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): Availability {
  const { title, api } = carrier;
  const { policy, fix } = webhookPolicy(carrier, options, settings);
  const verificationFixes = fix === undefined ? [] : [fix];
  /** Each of the fixes of a limit removes it. */
  const limits: { readonly reason: string; readonly fixes: readonly string[] }[] = [];
  if (!isReachable(settings)) {
    limits.push({
      reason: `${title} cannot reach this server.`,
      fixes: ["Start with --tunnel, or with --public-url\u00a0<https\u00a0URL>."],
    });
  }
  if (api && !api.isReady(options)) {
    limits.push({
      reason: "Calls end only when their socket closes: the runner cannot hang up or transfer them.",
      fixes: api.fixes,
    });
  }
  if (policy === "reject") {
    limits.push({
      reason: `Calls are rejected: requests from ${title} cannot be verified.`,
      fixes: verificationFixes,
    });
  } else if (policy === "accept" && isExposed(settings)) {
    const consequence = api?.isReady(options) ? ", so the runner does not hang up or transfer calls" : "";
    limits.push({ reason: `Anyone can pretend to be ${title}${consequence}.`, fixes: verificationFixes });
  }
  const dialFixes = options.allowDial.length > 0 ? missingForDialing(carrier, options) : [];
  if (dialFixes.length > 0) limits.push({ reason: "The runner cannot place calls.", fixes: dialFixes });
  if (limits.length === 0) return { state: "ready" };
  const required = new Set(limits.flatMap(({ fixes }) => (fixes.length === 1 ? fixes : [])));
  const open = limits.filter(({ fixes }) => !fixes.some((fix) => required.has(fix)));
  const needed = new Set([...required, ...open.map(({ fixes }) => anyOf(fixes))]);
  return {
    state: "limited",
    reason: limits.map(({ reason }) => reason).join(" "),
    fix: [...needed].filter(Boolean).join(" "),
  };
}

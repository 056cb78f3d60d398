import type { IncomingMessage } from "node:http";
import {
  type Availability,
  type CallData,
  contractVersion,
  createRestClient,
  isExposed,
  type OpenTransport,
  type RunnerContext,
  RunnerError,
  type RunnerSettings,
  type Session,
  type SessionArguments,
  type SocketHandlers,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import { createCallControl } from "./api.ts";
import { awaitStart, callRouterOf, type RoutedCarrier, type StartedCall, socketPath } from "./call-router.ts";
import type { Carrier, CarrierOptions, WebhookCall } from "./carrier.ts";
import { createMediaStream } from "./port.ts";
import { createSignatureVerification, signatureInvalid, webhookPolicy } from "./signature.ts";
import {
  bareSocketUrl,
  bodyInQuery,
  createWebhook,
  numbersInQuery,
  publicUrlMissing,
  transferParameter,
} from "./webhook.ts";

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
  };
}

function openCarrier<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  runner: RunnerContext,
  options: Options,
): OpenTransport {
  const { name, title, wire } = carrier;
  const { pacer, settings } = runner;
  const rest = createRestClient({ vendor: title, unreachable: "CARRIER_REFUSED" });
  const verification = createSignatureVerification(carrier, options, settings);
  /** What the webhook reported about the call of a session. Sessions of `/start` have no entry. */
  const webhookData = new WeakMap<Session, WebhookCall["callData"]>();
  const pendingCalls = {
    find(callId: string): Session | undefined {
      const session = runner.findSession(callId);
      return session?.state === "pending" ? session : undefined;
    },
    add(session: Session, call: WebhookCall | undefined): void {
      webhookData.set(session, call?.callData ?? {});
      if (call && !runner.findSession(call.callId)) session.alias(call.callId);
    },
  };

  function documentUrl(number: string, request: IncomingMessage): URL {
    const url = runner.url(`/${name}`, request);
    if (!settings.publicUrl && url.protocol !== "https:") {
      throw publicUrlMissing(`${title} fetches the document of a transfer from an https URL`);
    }
    url.searchParams.set(transferParameter, number);
    return url;
  }

  function answer(started: StartedCall): SocketHandlers {
    const { session: named, callData, request } = started;
    if (!named && !verification.allowsUpgrade(request.request, false)) throw signatureInvalid(title);
    if (named && named.state !== "pending") {
      throw new RunnerError("SESSION_NOT_PENDING", "The caller of this session is already connected.", {
        fix: "Use each socket URL for one call.",
      });
    }
    const session = named ?? pendingCalls.find(callData.callId) ?? runner.createSession();
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
    const isRejected = webhookData.has(session) && !verification.allowsUpgrade(request, true);
    if (signature === "invalid" || isRejected) throw signatureInvalid(title);
    return signature === "valid";
  }

  function run(session: Session, { start, callData: announced, socket, request }: StartedCall): SocketHandlers {
    const codec = wire.createCodec(start, announced, options);
    const query = request.url.searchParams;
    const callData: CallData = { ...numbersInQuery(query), ...webhookData.get(session), ...announced };
    // Rejects a second socket for a call in progress.
    if (runner.findSession(callData.callId) !== session) session.alias(callData.callId);
    const { logger } = session;
    const control = createCallControl({
      carrier,
      options,
      call: callData,
      rest,
      logger,
      documentUrl: (number) => documentUrl(number, request.request),
    });
    const body = [session.body, bodyInQuery(query.get("body")), callData.body].find((each) => each !== undefined);
    const call = session.run<SessionArguments>({ callData, body }, (params) => stream.connect(params));
    const { endsSilently = false } = wire;
    const stream = createMediaStream(call, { socket, codec, control, title, endsSilently, pacer, logger });
    session.onEnd(stream.end);
    call.connected();
    return {
      message: session.bind(stream.message),
      closed: session.bind((code: number) => {
        stream.closed(code);
        // The host does not know the session of a bare socket.
        if (!request.isAnnounced) call.left();
      }),
    };
  }

  const routed: RoutedCarrier = { runner, title, verification, recognizeCall: wire.recognizeCall, answer };
  const router = callRouterOf(runner);
  const removeFromRouter = router.add(routed);
  return {
    routes: createWebhook({ runner, carrier, options, verification, pendingCalls }),
    sockets: [
      {
        path: socketPath,
        access: "carrier",
        verify: ({ session, request }) => (session ? verifyNamed(session, request) : router.verify(request)),
        accept: (socket, request) =>
          request.isAnnounced ? awaitStart([routed], socket, request, request.session) : router.accept(socket, request),
      },
    ],
    start({ body: { body }, request }) {
      const session = runner.createSession({ body });
      return { sessionId: session.id, body: { wsUrl: runner.socketUrl(session, socketPath, request).href } };
    },
    async close() {
      removeFromRouter();
      await rest.close(lastHangUpsMs);
    },
    advanced: {
      banner: () => [carrier.banner(runner.url(settings.transport === name ? "/" : `/${name}`), bareSocketUrl(runner))],
    },
  };
}

/** What is missing for calls of this carrier. The transport works without it, with limits. */
function availabilityOf<Options extends CarrierOptions>(
  carrier: Carrier<Options>,
  options: Options,
  settings: RunnerSettings,
): Availability {
  const { title, api } = carrier;
  const { policy, fix = "" } = webhookPolicy(carrier, options, settings);
  const limits: { readonly reason: string; readonly fix: string }[] = [];
  if (!settings.publicUrl && !settings.trustProxy) {
    limits.push({ reason: `${title} cannot reach this server.`, fix: "Start with --proxy <public hostname>." });
  }
  if (api && !api.isReady(options)) {
    limits.push({
      reason: "Calls end only when their socket closes: the runner cannot hang up or transfer them.",
      fix: api.fix,
    });
  }
  if (policy === "reject") {
    limits.push({ reason: `Calls are rejected: requests from ${title} cannot be verified.`, fix });
  } else if (policy === "accept" && isExposed(settings)) {
    limits.push({ reason: `Anyone can pretend to be ${title}.`, fix });
  }
  if (limits.length === 0) return { state: "ready" };
  return {
    state: "limited",
    reason: limits.map(({ reason }) => reason).join(" "),
    fix: [...new Set(limits.flatMap(({ fix }) => fix || []))].join(" "),
  };
}

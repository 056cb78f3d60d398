import { createHmac } from "node:crypto";
import { decodeMulaw, encodeMulaw } from "@pipecat-ts/audio";
import {
  type Call,
  type CallData,
  type CallerSocket,
  type MediaPort,
  type RouteContext,
  RunnerError,
  type Session,
  type SessionArguments,
  safeEqual,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import type { CallEvent, Dialect, Json } from "./dialect.ts";
import { type CallHandlers, callRouterOf, type IncomingCall } from "./router.ts";

/** Settings of a carrier. */
export interface PhoneOptions {
  /** The secret with which the carrier signs webhook requests. */
  readonly token?: string | undefined;
}

/** A phone transport for one carrier: a webhook that returns a socket URL, and the socket that all carriers share. */
export function createPhonePlugin(dialect: Dialect): TransportPlugin<PhoneOptions> {
  const { name } = dialect;
  const variable = `${name.toUpperCase()}_TOKEN`;
  return {
    apiVersion: 1,
    name,
    options: {
      token: { env: variable, description: `${name}'s token`, schema: Type.String(), secret: true },
    },
    check({ token }) {
      if (token !== undefined) return { state: "ready" };
      return { state: "unavailable", reason: "webhook requests cannot be verified", fix: `Set ${variable}.` };
    },
    open(runner, { token = "" }) {
      const router = callRouterOf(runner);
      /** The numbers from the webhook, for each session that waits for a call. */
      const expected = new WeakMap<Session, Pick<CallData, "from" | "to">>();

      function createSession(body: unknown, numbers: Pick<CallData, "from" | "to">): Session {
        const session = runner.createSession({ body });
        expected.set(session, numbers);
        return session;
      }

      function webhook(ctx: RouteContext, next: () => unknown): unknown {
        const parameters = parametersOf(ctx);
        if (parameters[dialect.webhookField] === undefined) return next();
        if (!isSigned(ctx, token)) {
          throw new RunnerError("SIGNATURE_INVALID", `The request does not have a valid signature of ${name}.`);
        }
        const url = runner.socketUrl(createSession(undefined, numbersOf(parameters)), "/line", ctx.req);
        ctx.type = "application/xml";
        ctx.body = `<Response><Stream url="${url.href.replaceAll("&", "&amp;")}"/></Response>`;
        return undefined;
      }

      function answer({ socket, call: announced, session: known }: IncomingCall): CallHandlers {
        const session = known ?? createSession(undefined, {});
        const callData: CallData = { ...expected.get(session), ...announced };
        try {
          session.alias(callData.callId);
          const body = session.body ?? callData.body;
          const call = session.run<SessionArguments>({ callData, body }, () => createPort(socket, dialect, callData));
          if (!known) session.onEnd((reason, deadline) => socket.close(reason, deadline));
          call.connected();
          return {
            event: (event) => deliver(call, event),
            closed: () => call.left(),
          };
        } catch (error) {
          if (!known) void session.end("transport-failed");
          throw error; // the host closes the socket
        }
      }

      const disconnect = router.connect({ dialect, expects: (session) => expected.has(session), answer });
      return {
        routes: [{ method: ["GET", "POST"], path: "/", access: "carrier", handle: webhook }],
        sockets: [router.route],
        start({ body, request }) {
          const session = createSession(body.body, {});
          return { sessionId: session.id, body: { wsUrl: runner.socketUrl(session, "/line", request).href } };
        },
        close: disconnect,
      };
    },
  };
}

/** Mu-law at 8,000 Hz in JSON, sent ahead because the carrier buffers and can clear. */
function createPort(socket: CallerSocket, dialect: Dialect, call: CallData): MediaPort {
  const send = (message: Json) => socket.send(JSON.stringify(message));
  return {
    sampleRates: [8_000],
    frameMs: 20,
    sendAheadMs: 400,
    send: ({ samples }) => send(dialect.audio(call, encodeMulaw(samples))),
    clear: () => send(dialect.clear(call)),
    mark: (mark) => send(dialect.mark(call, mark)),
    close: (reason, deadline) => socket.close(reason, deadline),
  };
}

function deliver(call: Call, event: CallEvent): void {
  if (event.kind === "audio") call.audio({ samples: decodeMulaw(event.mulaw), sampleRate: 8_000, channels: 1 });
  if (event.kind === "played") call.played(event.mark);
  if (event.kind === "dtmf") call.dtmf(event.digit);
  if (event.kind === "stop") call.left();
}

function numbersOf({ From: from, To: to }: Json): Pick<CallData, "from" | "to"> {
  return { ...(typeof from === "string" ? { from } : {}), ...(typeof to === "string" ? { to } : {}) };
}

/** The parameters of a webhook request: the query of a GET, the body of a POST. */
function parametersOf(ctx: RouteContext): Json {
  const { body } = ctx.request;
  if (ctx.method === "GET") return ctx.query;
  return typeof body === "object" && body !== null ? (body as Json) : {};
}

/** Whether the request is signed with `token`: the URL of a GET, the body of a POST. */
function isSigned(ctx: RouteContext, token: string): boolean {
  const signed = ctx.method === "GET" ? ctx.url : (ctx.request.rawBody ?? "");
  return safeEqual(sign(token, signed), ctx.get("x-carrier-signature"));
}

/** The carrier's signature. */
export function sign(token: string, signed: string): string {
  return createHmac("sha256", token).update(signed).digest("base64");
}

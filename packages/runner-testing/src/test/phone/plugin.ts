import { decodeMulaw } from "@pipecat-ts/audio";
import {
  type CallData,
  type RouteContext,
  RunnerError,
  type Session,
  type SessionArguments,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import { type Caller, createMediaTransport, createPacer } from "@pipecat-ts/runner-media";
import Type from "typebox";
import type { CallEvent, Dialect } from "./dialect.ts";
import { createPhonePort, hangUp } from "./port.ts";
import { type PhoneLine, switchboardOf } from "./switchboard.ts";
import { type IncomingCall, isSigned, numbersIn, parametersOf, streamDocument } from "./webhook.ts";

/** A carrier's settings. */
export interface PhoneOptions {
  /** What the carrier signs its webhook requests with. */
  readonly token?: string | undefined;
}

/** Phone calls through one carrier: a webhook that answers with a socket's URL, and the socket that all carriers share. */
export function createPhonePlugin(dialect: Dialect): TransportPlugin<PhoneOptions> {
  const { name } = dialect;
  const variable = `${name.toUpperCase()}_TOKEN`;
  return {
    name,
    options: {
      token: { env: variable, description: `${name}'s token`, schema: Type.String(), secret: true },
    },
    check({ token }) {
      if (token !== undefined) return { state: "ready" };
      return { state: "unavailable", reason: "its calls could be forged", fix: `Set ${variable}.` };
    },
    open(runner, { token = "" }) {
      const pacer = runner.shared("pacer", createPacer);
      const switchboard = switchboardOf(runner);
      /** The sessions that wait for a call of this carrier, and what its webhook said of the call. */
      const expected = new WeakMap<Session, IncomingCall>();

      function expect(body: unknown, call: IncomingCall): Session {
        const session = runner.createSession({ body });
        expected.set(session, call);
        return session;
      }

      function webhook(ctx: RouteContext, next: () => unknown): unknown {
        const parameters = parametersOf(ctx);
        if (parameters[dialect.webhookField] === undefined) return next();
        if (!isSigned(ctx, token)) {
          throw new RunnerError("SIGNATURE_INVALID", `This request was not signed by ${name}.`, { status: 403 });
        }
        const session = expect(undefined, numbersIn(parameters));
        ctx.type = "application/xml";
        ctx.body = streamDocument(runner.urlFor(`/line/${runner.socketSegment(session)}`, ctx.req, "ws"));
        return undefined;
      }

      function answer(line: PhoneLine): void {
        let session: Session | undefined;
        try {
          session = sessionOf(line.sessionId);
          talk(line, session, { ...expected.get(session), ...line.call });
        } catch (err) {
          runner.logger.warn({ err }, "the call is not taken");
          line.socket.close(1013);
          if (session?.state === "pending") void session.end("transport-failed");
        }
      }

      function sessionOf(id: string | undefined): Session {
        if (id === undefined) return expect(undefined, {});
        const session = runner.findSession(id);
        if (session && expected.has(session)) return session;
        throw new RunnerError("SESSION_UNKNOWN", `No session "${id}" waits for a call of ${name}.`);
      }

      function talk({ socket, listen }: PhoneLine, session: Session, callData: CallData): void {
        session.alias(callData.callId);
        let caller: Caller | undefined;
        const leave = () => {
          caller?.left(); // first, so that the bot is told before its call is closed
          void session.end("caller-left");
        };
        const body = session.body ?? callData.body;
        session.run<SessionArguments>({ transport: name, callData, body }, async (params) =>
          createMediaTransport({
            name,
            params,
            pacer,
            logger: session.logger,
            open(to) {
              caller = to;
              to.connected();
              listen((event) => tell(to, event, () => void hangUp(socket)));
              return createPhonePort(socket, dialect, callData);
            },
          }),
        );
        session.own(() => hangUp(socket));
        if (socket.readyState === socket.CLOSED) leave();
        else socket.once("close", leave);
      }

      const disconnect = switchboard.connect(dialect, answer);
      return {
        routes: [{ method: ["GET", "POST"], path: "/", access: "carrier", handle: webhook }],
        sockets: [switchboard.route],
        start({ body, request }) {
          const session = expect(body.body, {});
          const path = `/line/${runner.socketSegment(session)}`;
          return { sessionId: session.id, body: { wsUrl: runner.urlFor(path, request, "ws").href } };
        },
        async close() {
          disconnect();
        },
      };
    },
  };
}

function tell(caller: Caller, event: CallEvent, stop: () => void): void {
  if (event.kind === "audio") caller.audio({ samples: decodeMulaw(event.mulaw), sampleRate: 8_000, channels: 1 });
  if (event.kind === "played") caller.played(event.mark);
  if (event.kind === "dtmf") caller.dtmf(event.digit);
  if (event.kind === "stop") stop();
}

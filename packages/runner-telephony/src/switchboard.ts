import type { IncomingMessage } from "node:http";
import {
  type CallData,
  type Refusal,
  type RunnerContext,
  RunnerError,
  type Session,
  type SocketRequest,
  type SocketRoute,
} from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";
import { type Guard, signatureInvalid } from "./guard.ts";
import { awaitAnnouncement } from "./handshake.ts";
import type { JsonObject } from "./json.ts";

/** The socket path that all carriers of a runner share: finds out from the first messages who calls. */
export interface Switchboard {
  /** One object for all carriers, so that the runner serves it once. */
  readonly route: SocketRoute;
  /** Has the calls of one carrier answered. Returns what takes that back. */
  connect(exchange: Exchange): () => void;
  /** Has a session's caller come in here, by this carrier and no other. */
  expect(session: Session, expectation: Expectation): void;
  /** What is expected of a session's caller. */
  expectationOf(session: Session): Expectation | undefined;
  /** The session that waits for this very call of a carrier. */
  waiting(carrier: string, callId: string): Session | undefined;
}

/** One carrier, at the switchboard. */
export interface Exchange {
  readonly name: string;
  readonly title: string;
  readonly guard: Guard;
  recogniseCall(message: JsonObject): CallData | undefined;
  /** Takes the call. Whatever it throws closes the socket. */
  answer(call: AnnouncedCall): void;
}

/** What is known of a call before it comes. */
export interface Expectation {
  readonly carrier: string;
  /** What the webhook said of it. */
  readonly callData: Readonly<Record<string, unknown>>;
  /** Whether the carrier was told to come; else whoever asked `/start` may be a page that acts as a phone. */
  readonly byWebhook: boolean;
}

/** A call that its carrier has announced. */
export interface AnnouncedCall {
  readonly socket: WebSocket;
  readonly start: JsonObject;
  readonly callData: CallData;
  /** The session that the call's URL names; absent for a bare one. */
  readonly session: Session | undefined;
  /** What opened the call's socket. */
  readonly request: SocketRequest;
}

/** The path of the carriers' sockets. */
export const socketPath = "/ws";

/** The largest message taken, in bytes: 1 MiB is four minutes of mu-law. A larger one ends its call with 1009. */
const maxPayload = 1024 * 1024;

/** The runner's switchboard, made by the first carrier that asks. */
export function switchboardOf(runner: RunnerContext): Switchboard {
  return runner.shared("telephony-switchboard", () => createSwitchboard(runner));
}

function createSwitchboard(runner: RunnerContext): Switchboard {
  const exchanges = new Set<Exchange>();
  const expectations = new WeakMap<Session, Expectation>();
  const proven = new WeakMap<IncomingMessage, Exchange>();

  function authorize({ params, request }: SocketRequest): Refusal | undefined {
    for (const exchange of exchanges) {
      const proof = exchange.guard.checkUpgrade(request);
      if (proof === "forged") throw signatureInvalid(exchange.title);
      if (proof === "genuine") proven.set(request, exchange);
    }
    const expected = params.sessionId === undefined ? undefined : expectationOf(findExpected(params.sessionId));
    const candidates = [...exchanges].filter(({ name }) => expected === undefined || name === expected.carrier);
    const [first] = candidates.filter((exchange) => mustProve(exchange, expected, request));
    if (first && candidates.every((exchange) => mustProve(exchange, expected, request))) {
      throw signatureInvalid(first.title);
    }
    return undefined;
  }

  function mustProve(exchange: Exchange, expected: Expectation | undefined, request: IncomingMessage): boolean {
    const comesByItself = expected === undefined || expected.byWebhook;
    return comesByItself && exchange.guard.requiresUpgrade(expected !== undefined) && proven.get(request) !== exchange;
  }

  function findExpected(id: string): Session {
    const session = runner.findSession(id);
    const fix = "Each URL of a socket is good for one call, within 120 s.";
    if (!session || !expectations.has(session)) {
      throw new RunnerError("SESSION_UNKNOWN", "No session of this id waits for a phone call.", { fix });
    }
    if (session.state === "pending") return session;
    throw new RunnerError("SESSION_NOT_PENDING", "The caller of this session is here already.", { fix });
  }

  function expectationOf(session: Session): Expectation | undefined {
    return expectations.get(session);
  }

  function answer(exchange: Exchange, socket: WebSocket, request: SocketRequest, found: Announcement): void {
    const { sessionId } = request.params;
    try {
      const session = sessionId === undefined ? undefined : findExpected(sessionId);
      const expected = session && expectationOf(session);
      if (expected && expected.carrier !== exchange.name) {
        throw new RunnerError("SESSION_UNKNOWN", `This session does not wait for a call of ${exchange.title}.`);
      }
      if (mustProve(exchange, expected, request.request)) throw signatureInvalid(exchange.title);
      exchange.answer({ ...found, socket, session, request });
    } catch (error) {
      refuse(socket, error);
    }
  }

  /** What threw here would be an uncaught exception, and end every call. */
  function recognise(exchange: Exchange, start: JsonObject): CallData | undefined {
    try {
      const call = exchange.recogniseCall(start);
      // In a path of the carrier's API these would name every call of the account.
      return call && !/^\.{1,2}$/.test(call.callId) ? call : undefined;
    } catch (error) {
      runner.logger.error({ err: error }, `${exchange.title} failed to read a first message.`);
      return undefined;
    }
  }

  function refuse(socket: WebSocket, error: unknown): void {
    const { status = 500, code = "INTERNAL", message, fix } = error as Partial<RunnerError>;
    runner.refused(code);
    if (status === 500) runner.logger.error({ err: error }, "A call could not be taken.");
    else runner.logger.warn(["A call was refused.", message, fix].filter(Boolean).join(" "));
    // RFC 6455 section 7.4: 1013 try again later, 1008 refused, 1011 the server failed.
    socket.close(status === 429 || status === 503 ? 1013 : status < 500 ? 1008 : 1011, code.slice(0, 123));
  }

  return {
    connect(exchange) {
      exchanges.add(exchange);
      return () => exchanges.delete(exchange);
    },
    expect(session, expectation) {
      expectations.set(session, expectation);
    },
    expectationOf,
    waiting(carrier, callId) {
      const session = runner.findSession(callId);
      const isExpected = session && expectationOf(session)?.carrier === carrier;
      return isExpected && session.state === "pending" ? session : undefined;
    },
    route: {
      path: `${socketPath}{/:sessionId}`,
      access: "carrier",
      maxPayload,
      isProven: ({ request }) => [...exchanges].some(({ guard }) => guard.checkUpgrade(request) === "genuine"),
      authorize,
      accept(socket, request) {
        awaitAnnouncement(socket, (start) => {
          for (const exchange of exchanges) {
            const callData = recognise(exchange, start);
            if (!callData) continue;
            answer(exchange, socket, request, { start, callData });
            return true;
          }
          return false;
        });
      },
    },
  };
}

type Announcement = Pick<AnnouncedCall, "start" | "callData">;

import type { CallData, CallerSocket, RunnerContext, Session, SocketRoute } from "@pipecat-ts/runner-core";
import { type CallEvent, type Dialect, type Json, parseMessage } from "./dialect.ts";

/** The socket path that all carriers of a runner share. It finds the carrier of each call. */
export interface CallRouter {
  /** One object for all carriers, so that the runner serves the path once. */
  readonly route: SocketRoute;
  /** Adds a carrier. Returns a function that removes it. */
  connect(carrier: Carrier): () => void;
}

/** What the router asks one carrier. */
export interface Carrier {
  readonly dialect: Dialect;
  /** Whether the session waits for a call of this carrier. */
  expects(session: Session): boolean;
  /** Starts the bot for an announced call, and returns a handler for the call's events. */
  answer(incoming: IncomingCall): CallHandlers;
}

/** A call whose carrier is known. */
export interface IncomingCall {
  readonly socket: CallerSocket;
  readonly call: CallData;
  /** The session that the socket's URL names. */
  readonly session: Session | undefined;
}

/** What a carrier does with its call. */
export interface CallHandlers {
  event(event: CallEvent): void;
  closed(): void;
}

/** How many messages and how much time a carrier has to announce the call. */
const limits = { messages: 5, ms: 2_000 };

/** The call router of a runner, created for the first carrier. */
export function callRouterOf(runner: RunnerContext): CallRouter {
  return runner.shared("fake-call-router", createCallRouter);
}

function createCallRouter(): CallRouter {
  const carriers = new Set<Carrier>();
  return {
    connect(carrier) {
      carriers.add(carrier);
      return () => carriers.delete(carrier);
    },
    route: {
      path: "/line",
      access: "carrier",
      maxPayload: 65_536,
      accept(socket, request) {
        const session = request.isAnnounced ? request.session : undefined;
        const timer = setTimeout(() => void socket.close("transport-failed", undefined, 1008), limits.ms);
        let unknown = 0;
        let current: { readonly dialect: Dialect; readonly handlers: CallHandlers } | undefined;
        return {
          message(data) {
            const message = parseMessage(String(data));
            if (current) {
              const event = message && current.dialect.parseEvent(message);
              if (event) current.handlers.event(event);
              return;
            }
            const found = message && find(message, session);
            if (found) {
              clearTimeout(timer);
              const { carrier, call } = found;
              current = { dialect: carrier.dialect, handlers: carrier.answer({ socket, call, session }) };
            } else if (++unknown >= limits.messages) void socket.close("transport-failed", undefined, 1008);
          },
          closed() {
            clearTimeout(timer);
            current?.handlers.closed();
          },
        };
      },
    },
  };

  /** The carrier that announces a call with this message: for an announced session, the one that created it. */
  function find(message: Json, session: Session | undefined) {
    for (const carrier of carriers) {
      if (session && !carrier.expects(session)) continue;
      const call = carrier.dialect.parseStart(message);
      if (call) return { carrier, call };
    }
    return undefined;
  }
}

import type { IncomingMessage } from "node:http";
import { RunnerError, type Session, type TransportPlugin } from "@pipecat-ts/runner-core";
import { createPacer } from "@pipecat-ts/runner-media";
import type { WebSocket } from "ws";
import type { WebSocketRunnerArguments } from "./arguments.ts";
import { closeSocket, maxMessageBytes } from "./port.ts";
import { receive } from "./reception.ts";
import { openTransport } from "./transport.ts";

const path = "/ws-client";

/** Callers by plain WebSocket, in Pipecat's protobuf frames. */
const plugin: TransportPlugin = {
  name: "websocket",
  open(runner) {
    const pacer = runner.shared("pacer", createPacer);
    /** The sessions whose caller is to come in here: another transport's ids open nothing. */
    const started = new WeakSet<Session>();
    const admitted = new WeakMap<IncomingMessage, Session>();

    function start(body?: unknown): Session {
      const session = runner.createSession({ body });
      started.add(session);
      return session;
    }

    function startBare(request: IncomingMessage): Session {
      const session = start();
      // Nobody else knows its id, so it ends with the connection, should that break before the bot runs.
      request.socket.once("close", () => session.state === "pending" && session.end("caller-left"));
      return session;
    }

    function findStarted(sessionId: string): Session {
      const session = runner.findSession(sessionId);
      const fix = "Ask POST /start for a new wsUrl: each is good for one call.";
      if (!session || !started.has(session)) {
        throw new RunnerError("SESSION_UNKNOWN", `No session "${sessionId}" waits for its caller.`, { fix });
      }
      if (session.state === "pending") return session;
      throw new RunnerError("SESSION_NOT_PENDING", `The caller of session "${sessionId}" is here already.`, { fix });
    }

    function answer(socket: WebSocket, session: Session): void {
      const { logger } = session;
      const reception = receive(socket, logger);
      // Throws when since `authorize` another caller took the session, or the last place, or the runner began to drain.
      session.run<WebSocketRunnerArguments>({ transport: "websocket", websocket: socket }, async (params) =>
        openTransport(reception, { websocket: socket, params, logger, pacer }),
      );
      session.own((reason) => closeSocket(socket, reason, pacer.clock));
      void reception.left.then((reason) => session.end(reason));
    }

    return {
      sockets: [
        {
          path: `${path}{/:sessionId}`,
          access: "caller",
          maxPayload: maxMessageBytes,
          authorize({ params, request }) {
            const { sessionId } = params;
            admitted.set(request, sessionId === undefined ? startBare(request) : findStarted(sessionId));
            return undefined;
          },
          accept(socket, { request }) {
            const session = admitted.get(request);
            if (session) answer(socket, session);
            else socket.terminate();
          },
        },
      ],
      start({ body, request }) {
        const session = start(body.body);
        // `wsUrl` alone: Pipecat's JavaScript client refuses every key it does not know.
        return {
          sessionId: session.id,
          body: { wsUrl: runner.urlFor(`${path}/${runner.socketSegment(session)}`, request, "ws").href },
        };
      },
      banner: () => [`${runner.urlFor(path, undefined, "ws").href} takes protobuf frames`],
      async close() {
        // Sockets are their sessions', and the pacer holds no timer without them.
      },
    };
  },
};
export default plugin;

import {
  type CloseReason,
  type OpenTransport,
  RunnerError,
  type Session,
  type SessionArguments,
  type Transport,
  type TransportEvents,
  type TransportPlugin,
} from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";

/** What a bot receives from the toy. */
export interface ToyArguments extends SessionArguments<"toy"> {
  readonly socket: WebSocket;
}

/** A transport for this package's own tests: JSON messages over a WebSocket, and no sound at all. */
export function toyPlugin(
  changes: Partial<TransportPlugin> & { readonly opened?: Partial<OpenTransport> } = {},
): TransportPlugin {
  const { opened, ...plugin } = changes;
  return {
    name: "toy",
    open(runner): OpenTransport {
      return {
        start({ body }) {
          const session = runner.createSession({ body: body.body });
          return { sessionId: session.id, body: { id: session.id, segment: runner.socketSegment(session) } };
        },
        sockets: [
          {
            path: "/toy{/:sessionId}",
            access: "caller",
            maxPayload: 65_536,
            authorize({ params }) {
              if (runner.findSession(params.sessionId ?? "")?.state === "pending") return undefined;
              return { status: 404, code: "SESSION_UNKNOWN", detail: "No such session." };
            },
            accept(socket, { params }) {
              const session = runner.findSession(params.sessionId ?? "");
              if (!session) throw new RunnerError("SESSION_UNKNOWN", "It ended.");
              runToy(session, socket);
            },
          },
        ],
        close: async () => undefined,
        ...opened,
      };
    },
    ...plugin,
  };
}

function runToy(session: Session, socket: WebSocket): void {
  session.own(() => socket.close());
  // A caller who leaves before the bot connected has no transport that could tell.
  socket.on("close", () => void session.end("caller-left"));
  session.run<ToyArguments>({ transport: "toy", socket }, async () => toyTransport(socket));
}

/** A `Transport` with messages only. */
export function toyTransport(socket: WebSocket): Transport {
  const listeners = new Map<string, Set<(...args: unknown[]) => void>>();
  const emit = (event: keyof TransportEvents, ...args: unknown[]) => {
    for (const listener of listeners.get(event) ?? []) listener(...args);
  };
  let hungUp: CloseReason | undefined;
  let endInput: () => void = () => undefined;
  const input = new ReadableStream({
    start(controller) {
      endInput = () => controller.close();
    },
  });
  const closed = new Promise<CloseReason>((resolve) => {
    socket.on("close", () => {
      endInput();
      emit("clientDisconnected", hungUp ?? "caller-left");
      resolve(hungUp ?? "caller-left");
    });
  });
  socket.on("message", (data) => emit("appMessage", JSON.parse(String(data))));
  return {
    name: "toy",
    input,
    listen: () => input,
    output: new WritableStream(),
    play: () => ({ playedMs: 0, done: Promise.resolve({ playedMs: 0, interrupted: false }) }),
    interrupt: () => ({ playedMs: 0, droppedMs: 0 }),
    async sendMessage(message) {
      socket.send(JSON.stringify(message));
    },
    on(event, listener) {
      const set = listeners.get(event) ?? new Set();
      listeners.set(event, set.add(listener as (...args: unknown[]) => void));
      return () => void set.delete(listener as (...args: unknown[]) => void);
    },
    closed,
    async close(reason = "bot-finished") {
      hungUp ??= reason;
      socket.close();
      await closed;
    },
  };
}

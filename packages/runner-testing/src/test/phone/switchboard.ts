import type { CallData, RunnerContext, SocketRoute } from "@pipecat-ts/runner-core";
import type { WebSocket } from "ws";
import { type CallEvent, type Dialect, parseMessage } from "./dialect.ts";

/** The one socket path that all carriers of a runner share: finds out from the first messages who calls. */
export interface Switchboard {
  /** One object for all carriers, so that the runner serves it once. */
  readonly route: SocketRoute;
  /** Has the calls of one carrier answered by `answer`. Returns what takes that back. */
  connect(dialect: Dialect, answer: (line: PhoneLine) => void): () => void;
}

/** One call, its carrier known. */
export interface PhoneLine {
  readonly socket: WebSocket;
  readonly call: CallData;
  /** The session that the call's URL names. */
  readonly sessionId: string | undefined;
  /** Hears what the carrier says, from what came right after the announcement on. Once. */
  listen(hear: (event: CallEvent) => void): void;
}

/** How many messages and how long a carrier has to say who calls. */
const announcement = { messages: 5, ms: 2_000 };
/** How much is kept of a caller whose bot does not listen yet. */
const keptEvents = 50;

export function createSwitchboard(): Switchboard {
  const carriers = new Map<Dialect, (line: PhoneLine) => void>();
  return {
    connect(dialect, answer) {
      carriers.set(dialect, answer);
      return () => carriers.delete(dialect);
    },
    route: {
      path: "/line{/:sessionId}",
      access: "carrier",
      maxPayload: 65_536,
      accept(socket, { params }) {
        const silent = setTimeout(() => socket.close(1008, "nobody said who calls"), announcement.ms);
        socket.once("close", () => clearTimeout(silent));
        let unknown = 0;
        let take: ((text: string) => void) | undefined;
        socket.on("message", (data) => {
          const text = String(data);
          if (take) return take(text);
          const found = announce(text);
          if (found) {
            clearTimeout(silent);
            const kept: CallEvent[] = [];
            let hear = (event: CallEvent): void => {
              if (kept.length < keptEvents) kept.push(event);
            };
            take = (line) => {
              const message = parseMessage(line);
              const event = message && found.dialect.recogniseEvent(message);
              if (event) hear(event);
            };
            found.answer({
              socket,
              call: found.call,
              sessionId: params.sessionId,
              listen(to) {
                hear = to;
                for (const event of kept.splice(0)) to(event);
              },
            });
          } else if (++unknown >= announcement.messages) socket.close(1008, "unknown carrier");
        });
      },
    },
  };

  function announce(text: string) {
    const message = parseMessage(text);
    for (const [dialect, answer] of message ? carriers : []) {
      const call = message && dialect.recogniseCall(message);
      if (call) return { dialect, answer, call };
    }
    return undefined;
  }
}

/** The runner's switchboard, made by the first carrier that asks. */
export function switchboardOf(runner: RunnerContext): Switchboard {
  return runner.shared("toy-switchboard", createSwitchboard);
}

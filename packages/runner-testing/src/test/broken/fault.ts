import type {
  Call,
  MediaPort,
  OpenTransport,
  RunnerContext,
  Session,
  SocketRoute,
  StartReply,
  StartRequest,
  TransportPlugin,
} from "@pipecat-ts/runner-core";
import type { TransportAdapter } from "../../adapter.ts";
import { createTcpAdapter } from "../tcp/caller.ts";

/** One mistake of a transport. */
export interface Fault {
  /** As in: a transport that … */
  readonly does: string;
  /** The requirements that must detect it. */
  readonly breaks: readonly string[];
  /** The broken transport. `cleanUp` registers a function that runs after the test. */
  adapter(cleanUp: (release: () => void) => void): TransportAdapter;
}

/** What a fault replaces. */
export interface Change {
  readonly plugin?: Partial<TransportPlugin>;
  runner?(runner: RunnerContext): Partial<RunnerContext>;
  session?(session: Session, runner: RunnerContext): Partial<Session>;
  call?(call: Call, session: Session): Partial<Call>;
  port?(port: MediaPort, call: Call): Partial<MediaPort>;
  opened?(opened: OpenTransport, runner: RunnerContext): Partial<OpenTransport>;
}

/** A transport with parts replaced: the TCP transport, unless `adapter` is another. */
export function alter(change: Change, adapter: TransportAdapter = createTcpAdapter()): TransportAdapter {
  return { ...adapter, plugin: alterPlugin(change, adapter.plugin) };
}

export function alterPlugin(change: Change, original: TransportPlugin): TransportPlugin {
  const plugin = { ...original, ...change.plugin };
  return {
    ...plugin,
    async open(runner: RunnerContext, options: unknown) {
      const sessions = new WeakMap<Session, Session>();
      const alterSession = (session: Session): Session => {
        const known = sessions.get(session);
        if (known) return known;
        const altered = overlay(alterRun(change, session), change.session?.(session, runner));
        sessions.set(session, altered);
        return altered;
      };
      const context = overlay(runner, change.runner?.(runner));
      const opened = await plugin.open(
        overlay(context, {
          createSession: (given) => alterSession(context.createSession(given)),
          admit: (credentials) => alterSession(context.admit(credentials)),
          findSession(id) {
            const session = context.findSession(id);
            return session && alterSession(session);
          },
        }),
        options,
      );
      const { sockets } = opened;
      return {
        ...opened,
        // A socket's session must be the one that the plugin has created.
        ...(sockets && { sockets: sockets.map((route) => alterSocket(route, alterSession)) }),
        ...change.opened?.(opened, runner),
      };
    },
  };
}

function alterSocket(route: SocketRoute, alterSession: (session: Session) => Session): SocketRoute {
  return {
    ...route,
    accept: (socket, request) =>
      route.accept(
        socket,
        overlay(request, {
          get session() {
            return alterSession(request.session);
          },
        }),
      ),
  };
}

function alterRun(change: Change, session: Session): Session {
  const run: Session["run"] = (own, connect) => {
    const call: Call = session.run(own, async (params) => {
      const port = await connect(params);
      return { ...port, ...change.port?.(port, call) };
    });
    return overlay(call, change.call?.(call, session));
  };
  return overlay(session, { run });
}

/** `start` of the altered transport, with a changed reply. */
export function alterReply(
  opened: OpenTransport,
  change: (reply: StartReply) => StartReply,
): (request: StartRequest) => Promise<StartReply> {
  return async (request) => {
    const reply = await opened.start?.(request);
    return change(reply ?? { sessionId: "", body: {} });
  };
}

/** `target` with members replaced, also where it is a class instance with getters. */
export function overlay<T extends object>(target: T, replaced: Partial<T> = {}): T {
  return new Proxy(target, {
    get(of, key) {
      if (key in replaced) return Reflect.get(replaced, key);
      const value: unknown = Reflect.get(of, key);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
}

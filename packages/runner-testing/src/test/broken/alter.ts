import type { OpenTransport, RunnerContext, Session, Transport, TransportPlugin } from "@pipecat-ts/runner-core";
import type { TransportAdapter } from "../../adapter.ts";
import { createTcpAdapter } from "../tcp/adapter.ts";

/** What a fault changes of the healthy toy. */
export interface Change {
  readonly plugin?: Partial<TransportPlugin>;
  runner?(runner: RunnerContext): Partial<RunnerContext>;
  session?(session: Session, runner: RunnerContext): Partial<Session>;
  transport?(transport: Transport, session: Session): Partial<Transport>;
  opened?(opened: OpenTransport, runner: RunnerContext): Partial<OpenTransport>;
}

/** The toy over TCP with something else in its place here and there. */
export function alter(change: Change, adapter: TransportAdapter = createTcpAdapter()): TransportAdapter {
  const plugin = overlay(adapter.plugin, change.plugin);
  const altered: TransportPlugin = overlay(plugin, {
    async open(runner: RunnerContext, options: unknown) {
      const sessions = new WeakMap<Session, Session>();
      const alterSession = (session: Session): Session => {
        const known = sessions.get(session);
        if (known) return known;
        const changed = overlay(alterRun(session, change), change.session?.(session, runner));
        sessions.set(session, changed);
        return changed;
      };
      const context = overlay(runner, change.runner?.(runner));
      const opened = await plugin.open(
        overlay(context, {
          createSession: (of) => alterSession(context.createSession(of)),
          findSession(id) {
            const session = context.findSession(id);
            return session && alterSession(session);
          },
        }),
        options,
      );
      return overlay(opened, change.opened?.(opened, runner));
    },
  });
  return { ...adapter, plugin: altered };
}

function alterRun(session: Session, change: Change): Session {
  if (!change.transport) return session;
  return overlay(session, {
    run: (own, connect) =>
      session.run(own, async (params) => {
        const transport = await connect(params);
        return overlay(transport, change.transport?.(transport, session));
      }),
  });
}

/** `target` as others see it with some members replaced; what is not replaced goes on living. */
export function overlay<T extends object>(target: T, replaced: Partial<T> = {}): T {
  return new Proxy(target, {
    has: (of, key) => key in replaced || key in of,
    ownKeys: (of) => [...new Set([...Reflect.ownKeys(of), ...Reflect.ownKeys(replaced)])],
    get(of, key) {
      if (key in replaced) return Reflect.get(replaced, key);
      const value: unknown = Reflect.get(of, key);
      return typeof value === "function" ? value.bind(of) : value;
    },
  });
}

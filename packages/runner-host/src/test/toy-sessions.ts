import type { Bot, CloseReason, Connect, NewSession, Session, Transport } from "@pipecat-ts/runner-core";
import { createSettings } from "../runner-settings.ts";
import { createSessionScope } from "../session-scope.ts";
import { createSessionRegistry, type SessionRegistry } from "../sessions.ts";
import { recordLog } from "./recorded-log.ts";

/** Sessions without a server, and what they log. */
export interface ToySessions {
  readonly sessions: SessionRegistry;
  readonly log: ReturnType<typeof recordLog>;
  create(body?: unknown, more?: NewSession): Session;
}

/** Runs until it is told to stop. */
export const untilAborted: Bot = ({ signal }) =>
  new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));

/** Sessions without a server, for this package's own tests. */
export function toySessions(options: { bot?: Bot; maxSessions?: number } = {}): ToySessions {
  const { bot = untilAborted, ...settings } = options;
  const log = recordLog();
  const scope = createSessionScope();
  const sessions = createSessionRegistry({
    bot,
    defaultBody: undefined,
    settings: createSettings(settings),
    scope,
    metrics: { ended: () => undefined, follow: () => () => undefined },
    handlesSignals: () => false,
  });
  return { sessions, log, create: (body, more) => sessions.create({ body, ...more }, log, "toy") };
}

/** A transport that closes when told to, and says what was done to it. */
export function fakeTransport(): { transport: Transport; calls: string[] } {
  const calls: string[] = [];
  let resolveClosed: (reason: CloseReason) => void = () => undefined;
  const closed = new Promise<CloseReason>((resolve) => {
    resolveClosed = resolve;
  });
  const transport = {
    name: "fake",
    closed,
    on: () => () => undefined,
    interrupt: () => calls.push("interrupt"),
    async close(reason: CloseReason) {
      calls.push(`close: ${reason}`);
      resolveClosed(reason);
    },
  } as unknown as Transport;
  return { transport, calls };
}

/** For bots that never connect. */
export const notConnected: Connect = () => Promise.reject(new Error("nobody asked"));

export { createSessionEngine, type SessionEngine, type SessionEngineOptions, type SessionObserver } from "./engine.ts";
export { createSessionHistory, type EndedSession, type SessionHistory } from "./history.ts";
export { type HostSession, pendingMs, type RequestHandler, type SessionOwner } from "./session.ts";

export { createSessionEngine, type SessionEngine, type SessionEngineOptions } from "./engine.ts";
export { type HostSession, pendingMs, type RequestHandler, type SessionOwner } from "./session.ts";

export type { WebSocketParams, WebSocketRunnerArguments } from "./arguments.ts";
export { createWebSocketTransport, type WebSocketTransportOptions } from "./transport.ts";

export type { WebSocketParams, WebSocketRunnerArguments } from "./arguments.ts";

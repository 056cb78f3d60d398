export type { CreateWorkerRunner, WorkerRunner, WorkerRunnerOptions } from "./attached-runner.ts";
export type { Fleet, KeyClaims, LocalNode, NodeLoad, Peer } from "./fleet.ts";
export { createGateway, type Gateway, type GatewayOptions } from "./gateway.ts";
export { createInProcessStarter } from "./in-process.ts";
export { type IsolationFlags, isolationFlags } from "./options.ts";

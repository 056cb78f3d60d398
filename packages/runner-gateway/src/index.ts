export { createGateway, type Gateway, type GatewayOptions } from "./gateway.ts";
export { type IsolationFlags, isolationFlags } from "./options.ts";

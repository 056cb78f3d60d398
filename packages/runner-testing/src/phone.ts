export { type FakeApi, openFakeApi, type SeenRequest } from "./phone-api.ts";
export type { CallOptions, PhoneCall } from "./phone-call.ts";
export { createFakeCarrier, type FakeCarrier } from "./phone-carrier.ts";
export type { CallFacts, FarEnd, Heard, PhoneDialect, PhoneRequest } from "./phone-dialect.ts";
export type { NetworkOptions } from "./phone-network.ts";

export { type FakeApi, openFakeApi, type SeenRequest } from "./phone-api.ts";
export type { CallOptions, PhoneCall } from "./phone-call.ts";
export { createFakeCarrier, type FakeCarrier } from "./phone-carrier.ts";
export type { CallFacts, FarEnd, Heard, PhoneDialect, PhoneRequest } from "./phone-dialect.ts";
export { liveThroughCall, type PhoneJourney } from "./phone-journey.ts";
export { liveThroughJunk, type PhoneJunk } from "./phone-junk.ts";
export type { NetworkOptions } from "./phone-network.ts";

export type { CallFacts, CallOptions, FarEnd, NetworkOptions, PhoneCall, RunnerMessage } from "./phone-call.ts";
export {
  type ApiReply,
  type ApiRequest,
  createFakeCarrier,
  type FakeApi,
  type FakeCarrier,
  openFakeApi,
  type PhoneDialect,
  type PhoneRequest,
} from "./phone-carrier.ts";
export { type PhoneCallCheck, testPhoneCall } from "./phone-check.ts";
export { fuzzPhoneCall, type PhoneFuzz } from "./phone-fuzz.ts";

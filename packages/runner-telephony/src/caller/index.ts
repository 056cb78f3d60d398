export type { CallFacts, CallOptions, FarEnd, NetworkOptions, PhoneCall, RunnerMessage } from "./phone-call.ts";
export { createPhoneCaller } from "./phone-caller.ts";
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

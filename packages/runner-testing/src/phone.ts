export { type PhoneCallCheck, testPhoneCall } from "./phone-check.ts";
export { fuzzPhoneCall, type PhoneFuzz } from "./phone-fuzz.ts";

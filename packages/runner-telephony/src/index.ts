export type { PhoneParams } from "./arguments.ts";
export type {
  Carrier,
  CarrierApi,
  CarrierDocument,
  CarrierOptions,
  CarrierSignatures,
  CarrierWebhook,
  CarrierWire,
  Proof,
  SignedRequest,
  WebhookCall,
  WebhookRequest,
} from "./carrier.ts";
export { type CallCodec, type CallEvent, type CallerAudio, dtmfEvent, playedEvent } from "./codec.ts";
export { equalInSecret } from "./guard.ts";
export { bytesIn, type JsonObject, numberIn, objectIn, parseObject, present, textIn, textsIn } from "./json.ts";
export { apiPath, apiUrlOption, basicAuthorization, environmentOption, verifySignaturesOption } from "./options.ts";
export { createPcmReader } from "./pcm-reader.ts";
export { createTelephonyPlugin } from "./plugin.ts";
export type { ApiRequest } from "./rest.ts";
export type { PhoneTransport } from "./transport.ts";
export { element, type XmlElement, xmlDocument } from "./xml.ts";

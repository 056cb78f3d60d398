export { apiPath, basicAuthorization } from "./api.ts";
export type { PhoneEvents, PhoneParams, PhoneTransport } from "./arguments.ts";
export type {
  ApiRequest,
  CallOutcome,
  Carrier,
  CarrierApi,
  CarrierDialing,
  CarrierDocument,
  CarrierIds,
  CarrierOptions,
  CarrierSignatures,
  CarrierWebhook,
  CarrierWire,
  OutboundCall,
  SignedRequest,
  Transfer,
  UpgradeSignature,
  WebhookCall,
  WebhookRequest,
} from "./carrier.ts";
export {
  type CallCodec,
  type CallEvent,
  type CallerAudio,
  type CallerPacket,
  createPcmReader,
  dtmfEvent,
  playedEvent,
} from "./codec.ts";
export { bytesIn, type JsonObject, numberIn, objectIn, parseObject, present, textIn, textsIn } from "./json.ts";
export { apiUrlOption, dialOptions, environmentOption, verifySignaturesOption } from "./options.ts";
export { createTelephonyPlugin } from "./plugin.ts";
export type { Whisper } from "./whisper.ts";
export { element, whisperXml, type XmlElement, xmlDocument } from "./xml.ts";

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { CallData, OptionTable, RestAnswer, RestRequest } from "@pipecat-ts/runner-core";
import type { CallCodec } from "./codec.ts";
import type { JsonObject } from "./json.ts";
import type { Whisper } from "./whisper.ts";

/**
 * Everything about one phone carrier, as data and pure functions. `createTelephonyPlugin` turns it into a transport and
 * supplies sockets, sessions, timing and HTTP.
 */
export interface Carrier<Options extends CarrierOptions = CarrierOptions> {
  /** The name of the transport, and the path of its webhook: `twilio`, `/twilio`. */
  readonly name: string;
  /** The carrier's name in sentences: `Twilio`. */
  readonly title: string;
  readonly options: OptionTable<Options>;
  readonly ids: CarrierIds;
  readonly wire: CarrierWire<Options>;
  readonly webhook: CarrierWebhook<Options>;
  readonly signatures?: CarrierSignatures<Options>;
  /** Without it, calls end when their socket closes, and cannot be transferred. */
  readonly api?: CarrierApi<Options>;
  /** Without it, `POST /start` cannot call a number. */
  readonly dialing?: CarrierDialing<Options>;
  /** A banner line: how to make the carrier send its calls here. */
  banner(webhookUrl: URL, socketUrl: URL): string;
}

/** The settings that every carrier has. */
export interface CarrierOptions {
  /** Whether to reject requests that the carrier did not sign, where signatures can be verified. */
  readonly verifySignatures: boolean;
  /** The starts of the numbers that the runner may call, in E.164: `+1555`. */
  readonly allowDial: readonly string[];
  /** How many outbound calls may be placed per minute. */
  readonly dialLimit: number;
}

/** The shape of the carrier's ids, as it documents them. Calls with other ids are rejected. */
export interface CarrierIds {
  readonly call: RegExp;
  readonly stream: RegExp;
}

/** The messages on the media stream socket. */
export interface CarrierWire<Options> {
  /**
   * The path of the socket. Default `/ws`, where the start message tells the calls of several carriers apart. A path of its own also
   * serves a carrier whose start message is the same as another one's.
   */
  readonly socketPath?: string;
  /** Whether the carrier ends a call by closing the socket, without a `stop` message. Default false. */
  readonly endsSilently?: boolean;
  /** The `event` of each message that may arrive before the start message. */
  readonly earlyEvents: readonly string[];
  /**
   * The call, if `message` is this carrier's start message; otherwise `undefined`. It must not accept the start message of
   * another carrier. `body` holds the custom parameters of the call.
   */
  recognizeCall(message: JsonObject): CallData | undefined;
  /** Creates the codec of one call from its start message. Throws MEDIA_FORMAT_UNSUPPORTED with a fix. */
  createCodec(start: JsonObject, call: CallData, options: Options): CallCodec;
}

/** The carrier's HTTP requests about incoming calls, and the replies. */
export interface CarrierWebhook<Options> {
  /** The call that the request is about; `undefined` when its parameters are not this carrier's. */
  recognizeCall(parameters: Readonly<Record<string, string>>): WebhookCall | undefined;
  /** The document that makes the carrier open a media stream socket. */
  answer(request: WebhookRequest, options: Options): CarrierDocument;
  /** The document that plays the busy tone. Without it, the request gets 429 or 503. */
  readonly busy?: CarrierDocument;
  /** The reply to the notice that a call has ended. Default: an empty text. */
  readonly ended?: CarrierDocument;
  /**
   * The document that connects a call to `number`, for a carrier whose API takes the URL of such a document: `?transferTo=`.
   * `whisperUrl` is the URL of the document of `whisper`.
   */
  transfer?(number: string, whisperUrl: URL | undefined): CarrierDocument;
  /** The document that plays a whisper to the callee of a transfer: `?whisper=`. Requests for it are not verified. */
  whisper?(whisper: Whisper): CarrierDocument;
}

/** A call as the webhook describes it. */
export interface WebhookCall {
  readonly callId: string;
  /** Whether the request is the notice that the call has ended. */
  readonly ended?: boolean;
  /** Fields for the bot's `callData`: `from`, `to` and fields of the carrier. */
  readonly callData: Readonly<Record<string, unknown>>;
}

/** A webhook request to answer. */
export interface WebhookRequest {
  readonly method: string;
  /** What `recognizeCall` returned. */
  readonly call: WebhookCall | undefined;
  /** Creates the call's session and returns its socket URL. Throws AT_CAPACITY and DRAINING. */
  socketUrl(): URL;
  /** The socket URL that is not bound to a session. */
  readonly bareSocketUrl: URL;
}

/** The body of an HTTP reply. */
export interface CarrierDocument {
  readonly type: string;
  readonly body: string;
}

/** How the carrier signs its requests. */
export interface CarrierSignatures<Options> {
  /**
   * What the signature of a webhook covers. `url`: the public URL with its query, and the form; it cannot be verified without
   * that URL. `body`: the body only, so the query is not used. `request`: everything, because the request carries a secret.
   */
  readonly covers: "url" | "body" | "request";
  /** The secret or public key to verify with; `undefined` when it is not configured. */
  secret(options: Options): string | undefined;
  /** How to configure the secret: `Set TWILIO_AUTH_TOKEN.` */
  readonly fix: string;
  /**
   * The headers with which the carrier signs a webhook request, so that `pipecat-runner doctor` can send one. Absent: only the carrier
   * can sign.
   */
  sign?(request: Pick<SignedRequest, "method" | "url" | "form">, secret: string): Readonly<Record<string, string>>;
  /** Whether the signature of a webhook request is valid. Absent: the carrier does not sign them. */
  verifyWebhook?(request: SignedRequest, secret: string): boolean;
  /** Checks the signature of an upgrade request. An `invalid` one is rejected. Absent: the carrier does not sign them. */
  verifyUpgrade?(request: SignedRequest, secret: string, options: Options): UpgradeSignature;
  /**
   * Whether an upgrade request needs a valid signature. `byWebhook`: its URL comes from a webhook reply. Default: true
   * where `verifyUpgrade` exists.
   */
  requireUpgrade?(options: Options, byWebhook: boolean): boolean;
}

/** `missing`: the request has no signature of this carrier. */
export type UpgradeSignature = "valid" | "invalid" | "missing";

/** A request whose signature is checked. */
export interface SignedRequest {
  readonly method: string;
  /** The URL that the carrier called: the public URL plus path and query as received. `""` when the public URL is unknown. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** The body as text; empty without a body. */
  readonly rawBody: string;
  /** The fields of a form, in order, duplicates included. */
  readonly form: URLSearchParams;
  readonly request: IncomingMessage;
}

/** The carrier's REST API for a call in progress. */
export interface CarrierApi<Options> {
  /** Whether the credentials are configured. */
  isReady(options: Options): boolean;
  /** How to configure them: `Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.` Each of these is enough. */
  readonly fixes: readonly [string, ...string[]];
  /**
   * A request that changes nothing and succeeds with valid credentials, for `pipecat-runner doctor`; `undefined` when a setting for it
   * is missing.
   */
  probe?(options: Options): ApiRequest | undefined;
  hangUp(call: CallData, options: Options): ApiRequest;
  /** Connects the caller to another number, which ends the media stream. */
  transfer?(call: CallData, transfer: Transfer, options: Options): ApiRequest;
  /** The kinds of whisper that the carrier can play to the callee of a transfer. Default: none. */
  readonly whispers?: readonly ("say" | "play")[];
  sendDtmf?(call: CallData, digits: string, options: Options): ApiRequest;
}

/** A transfer that the bot requested. */
export interface Transfer {
  /** E.164 or a SIP URI. */
  readonly number: string;
  /** Only of a kind that `CarrierApi.whispers` has. */
  readonly whisper?: Whisper | undefined;
  /**
   * The public URL of `CarrierWebhook.transfer` for this number and whisper. Throws PUBLIC_URL_MISSING when the carrier cannot reach
   * this server.
   */
  documentUrl(): URL;
  /** The public URL of `CarrierWebhook.whisper`; `undefined` without a whisper. Throws PUBLIC_URL_MISSING. */
  whisperUrl(): URL | undefined;
}

/** How the carrier calls a number, as requests of its REST API and their callbacks. */
export interface CarrierDialing<Options> {
  /** How to configure what is missing beside the credentials of `CarrierApi`: `Set ACME_ACCOUNT.` */
  missing?(options: Options): string | undefined;
  /** The request that calls a number. It is sent once. */
  request(call: OutboundCall, options: Options): ApiRequest;
  /**
   * The id in the JSON answer to it: of the call, unless `placedIdIn` exists. Absent: the answer has none, and the first callback tells
   * the id.
   */
  placedId?(answer: JsonObject): string | undefined;
  /** The same id in the parameters of a callback, for a carrier that has another one for the call. */
  placedIdIn?(parameters: Readonly<Record<string, string>>): string | undefined;
  /** The id of the call in the parameters of a callback. Default: that of `CarrierWebhook.recognizeCall`. */
  callIdIn?(parameters: Readonly<Record<string, string>>): string | undefined;
  /** Ends a call that is not answered yet. Default: `CarrierApi.hangUp`. */
  cancel?(placedId: string, options: Options): ApiRequest;
  /**
   * What a status callback reports; `undefined` for a call that goes on. A callback with a final status and an answering machine
   * reports the status: a call without a media stream ends only with it.
   */
  outcome(parameters: Readonly<Record<string, string>>): CallOutcome | undefined;
  /** The document that ends an answered call whose session has ended. Absent: the carrier gets the socket with the request. */
  readonly hangUp?: CarrierDocument;
  /** Whether the carrier cannot sign status callbacks. The secret in their URL then proves them. Default false. */
  readonly hasUnsignedStatus?: boolean;
  /** Whether the carrier cannot detect answering machines. Default false. */
  readonly cannotDetectMachines?: boolean;
}

/** `completed`: answered, and over. `machine`: an answering machine answered, and the call goes on. */
export type CallOutcome = "busy" | "no-answer" | "failed" | "machine" | "completed";

/** A call to place. */
export interface OutboundCall {
  /** E.164. */
  readonly to: string;
  /** E.164. */
  readonly from: string;
  /** Returns the document of `CarrierWebhook.answer` when the call is answered. */
  readonly answerUrl: URL;
  /** Takes status callbacks and the result of machine detection, with POST. */
  readonly statusUrl: URL;
  /** The socket of the call, for a carrier that gets it with the request. */
  socketUrl(): URL;
  /** How long the phone may ring, in s. */
  readonly ringSeconds: number;
  /** Whether to detect answering machines, while the bot talks. */
  readonly machineDetection: boolean;
}

/** One request to the carrier's REST API. */
export interface ApiRequest extends RestRequest {
  /** Whether an error answer still means success, as when the call to hang up has ended already. */
  isDone?(answer: RestAnswer): boolean;
}

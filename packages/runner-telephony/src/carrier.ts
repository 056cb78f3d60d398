import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { CallData, OptionTable } from "@pipecat-ts/runner-core";
import type { CallCodec } from "./codec.ts";
import type { JsonObject } from "./json.ts";
import type { ApiRequest } from "./rest.ts";

/**
 * A phone carrier as data: what its package supplies, and of which `createTelephonyPlugin` makes a transport. The parts
 * are pure; sockets, sessions, timing and HTTP are the kit's.
 */
export interface Carrier<Options extends CarrierOptions = CarrierOptions> {
  /** The transport's name: `twilio`. Its webhook is at `/{name}`. */
  readonly name: string;
  /** The carrier's name in sentences: `Twilio`. */
  readonly title: string;
  readonly options: OptionTable<Options>;
  readonly wire: CarrierWire<Options>;
  readonly webhook: CarrierWebhook<Options>;
  readonly signatures?: CarrierSignatures<Options>;
  /** What its REST API can do. Absent: it has none for this, and calls end with their socket. */
  readonly api?: CarrierApi<Options>;
  /** What to do at the carrier, once, so that its calls come here. A line of the banner. */
  setUp(webhookUrl: URL, socketUrl: URL): string;
}

/** The settings that every carrier has. */
export interface CarrierOptions {
  /** Whether requests that the carrier did not sign are refused, where that can be known. */
  readonly verifySignatures: boolean;
}

/** How the carrier talks on the socket. */
export interface CarrierWire<Options> {
  /** Whether the carrier says nothing when a call is over, and just closes its socket. Default: it says `stop` first. */
  readonly endsSilently?: boolean;
  /**
   * The call, when `message` is the one by which this carrier announces it, and no other's. `streamId` and `callId` are
   * required; `body` is what custom parameters came along.
   */
  recogniseCall(message: JsonObject): CallData | undefined;
  /** The codec of the call that `start` announced. Throws a RunnerError with a remedy when it cannot be talked to. */
  createCodec(start: JsonObject, call: CallData, options: Options): CallCodec;
}

/** The carrier's request for instructions when a call comes in, and the answer to it. */
export interface CarrierWebhook<Options> {
  /** What the parameters say of a call; `undefined` when they are not this carrier's. */
  recogniseCall(parameters: Readonly<Record<string, string>>): WebhookCall | undefined;
  answer(request: WebhookRequest, options: Options): CarrierDocument;
  /** What has the carrier play the busy tone. Absent: the request is refused with 429 or 503. */
  readonly busy?: CarrierDocument;
  /** The answer to the news that a call is over. */
  readonly over?: CarrierDocument;
  /**
   * What has the carrier connect the call to `number`, for one whose API takes the URL of such a document rather than the
   * number: it asks the webhook with `?transferTo=`.
   */
  transfer?(number: string): CarrierDocument;
}

/** A call as the webhook tells of it. */
export interface WebhookCall {
  readonly callId: string;
  /** Whether it is over, rather than coming in. */
  readonly over?: boolean;
  /** What the bot is told of it, in `callData`: `from`, `to` and fields of the carrier's own. */
  readonly callData: Readonly<Record<string, unknown>>;
}

/** What an answer is made from. */
export interface WebhookRequest {
  readonly method: string;
  /** The socket's URL for this very call, under which what is known of it waits. Throws AT_CAPACITY and DRAINING. */
  socketUrl(): URL;
  /** The socket's URL for any call. */
  readonly anySocketUrl: URL;
}

/** An HTTP answer's body. */
export interface CarrierDocument {
  readonly type: string;
  readonly body: string;
}

/** How the carrier proves that a request is its own. */
export interface CarrierSignatures<Options> {
  /** Whether the public URL is signed along, so that nothing can be verified without knowing it. */
  readonly coverUrl: boolean;
  /** What signatures are verified with; `undefined` when it was not given. */
  secret(options: Options): string | undefined;
  /** How a person gives it: `Set TWILIO_AUTH_TOKEN.` */
  readonly fix: string;
  /** Whether the carrier sent this webhook request. Absent: its webhook is not signed. */
  verifyWebhook?(request: SignedRequest, secret: string): boolean;
  /** What an upgrade request proves: a `forged` one is refused. Absent: upgrades are not signed. */
  verifyUpgrade?(request: SignedRequest, secret: string, options: Options): Proof;
  /**
   * Whether an upgrade of this carrier must prove itself; `byWebhook`: its URL was the answer to a webhook, which proves
   * something, too. Default: yes, where there is `verifyUpgrade`.
   */
  requireUpgrade?(options: Options, byWebhook: boolean): boolean;
}

/** `genuine`: signed by the carrier; `forged`: wrongly signed; `none`: it carries no signature of this carrier. */
export type Proof = "genuine" | "forged" | "none";

/** A request as signatures see it. */
export interface SignedRequest {
  readonly method: string;
  /** Where the carrier sent it, as text: the public URL, then path and query as they came; `""` when that is not known. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** The body's bytes, empty without one. */
  readonly rawBody: Buffer;
  /** The fields of a form, in their order, doubles included. */
  readonly form: URLSearchParams;
  readonly request: IncomingMessage;
}

/** What the carrier's REST API can do with a call under way, as requests that the kit sends. */
export interface CarrierApi<Options> {
  /** Whether there are credentials for it. */
  isReady(options: Options): boolean;
  /** How a person gives them: `Set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.` */
  readonly fix: string;
  hangUp(call: CallData, options: Options): ApiRequest;
  /**
   * Has somebody else take the call; the stream ends with it. At `documentUrl()` the carrier finds the webhook's `transfer`;
   * it throws PUBLIC_URL_MISSING where the carrier would not get there.
   */
  transfer?(call: CallData, number: string, options: Options, documentUrl: () => URL): ApiRequest;
  sendDtmf?(call: CallData, digits: string, options: Options): ApiRequest;
}

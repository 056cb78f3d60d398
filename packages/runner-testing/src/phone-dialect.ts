import type { IncomingHttpHeaders } from "node:http";
import type { Answer } from "./http.ts";

/** The far side of one carrier, as data: how it asks, signs, and talks. Each carrier's package has one. */
export interface PhoneDialect {
  /** Its transport's name. */
  readonly name: string;
  /** The webhook request by which it asks what to do with a call, signed. Absent: calls come by the socket alone. */
  webhook?(call: CallFacts, url: URL): PhoneRequest;
  /** The socket's URL in the answer to the webhook. Throws an Error where the answer turns the call away. */
  socketUrl?(answer: Answer): string;
  /** Headers of the socket's handshake: its signature, or credentials. */
  upgradeHeaders?(url: URL): Readonly<Record<string, string>>;
  /** The far end of a call whose socket is open. */
  createFarEnd(call: CallFacts): FarEnd;
  /** What its REST API makes of a request; `undefined` for 404. */
  api?(request: ApiCall): ApiReply | undefined;
}

/** What a carrier knows of a call before it is answered. */
export interface CallFacts {
  readonly callId: string;
  readonly streamId: string;
  readonly from: string;
  readonly to: string;
  /** What the answer to the webhook said; empty without one. */
  readonly document: string;
}

/** One HTTP request. */
export interface PhoneRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Talks on one call's socket: every method returns the messages to send, and counts and clocks them as the carrier does. */
export interface FarEnd {
  /** Rate in Hz of the caller's voice on the wire. */
  readonly sampleRate: number;
  /** How much of it one message carries, in ms. */
  readonly frameMs: number;
  announce(): object[];
  audio(samples: Int16Array): object;
  digit(digit: string): object;
  played(mark: string): object;
  /** What it says when it was told to clear, beside the marks that were out. */
  cleared?(): object;
  /** What it says when the call is over. Absent: nothing. */
  stop?(): object;
  /** What a message asks for. What the real carrier would not accept comes as `complaint`. */
  recognise(message: Readonly<Record<string, unknown>>): Heard;
}

/** What a message from the runner asks of the carrier. */
export interface Heard {
  /** The bot's voice. */
  readonly audio?: { readonly samples: Int16Array; readonly sampleRate: number };
  readonly mark?: string;
  readonly clear?: boolean;
  readonly digits?: string;
  /** Why the carrier does not take it. */
  readonly complaint?: string;
  /** What it answers to that. */
  readonly reply?: object;
}

/** A request to the carrier's REST API. */
export interface ApiCall {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Whether a call of this id is under way. */
  isLive(callId: string): boolean;
}

/** What the REST API answers, and does. */
export interface ApiReply {
  readonly status: number;
  readonly body?: string;
  /** The call that is over by it. */
  readonly ends?: string;
}

import { type JsonObject, objectIn, textIn } from "@pipecat-ts/runner-telephony";

/**
 * Telnyx's messages on the socket, those parts that are read or written.
 * https://developers.telnyx.com/api-reference/websockets/stream-call-media-over-websocket
 */
export type TelnyxMessage =
  | { readonly event: "connected" }
  | { readonly event: "start"; readonly stream_id: string; readonly start: TelnyxStart }
  | { readonly event: "media"; readonly media: TelnyxMedia }
  | { readonly event: "dtmf"; readonly dtmf: { readonly digit: string } }
  | { readonly event: "mark"; readonly mark: { readonly name: string } }
  | { readonly event: "stop" }
  | { readonly event: "error"; readonly payload: { readonly title: string } }
  | { readonly event: "error"; readonly error: { readonly title: string } };

export interface TelnyxStart {
  readonly call_control_id: string;
  readonly call_session_id?: string;
  readonly from?: string;
  readonly to?: string;
  readonly client_state?: string;
  readonly custom_parameters?: Readonly<Record<string, string>>;
  /** The format of what Telnyx sends: that of the call's leg. */
  readonly media_format?: { readonly encoding: string; readonly sample_rate: number };
}

export interface TelnyxMedia {
  /** With `both_tracks` the bot's own voice comes back as `outbound`. */
  readonly track?: string;
  /** Frames may come out of order. */
  readonly chunk?: string;
  readonly timestamp?: string;
  readonly payload: string;
}

/** What is wrong, of either shape of error. The codes of the two mean different things, so that the title is what counts. */
export function errorTitle(message: JsonObject): string {
  return textIn(objectIn(message, "payload"), "title") ?? textIn(objectIn(message, "error"), "title") ?? "an error";
}

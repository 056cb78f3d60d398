/**
 * Exotel's messages on the socket, those parts that are read or written. What the documentation shows as text comes as
 * numbers, too. https://developer.exotel.com/docs/agentstream/stream-voicebot-applet
 */
export type ExotelMessage =
  | { readonly event: "connected" }
  | { readonly event: "start"; readonly stream_sid: string; readonly start: ExotelStart }
  | { readonly event: "media"; readonly media: { readonly timestamp?: string; readonly payload: string } }
  | { readonly event: "dtmf"; readonly dtmf: { readonly digit: string } }
  | { readonly event: "mark"; readonly mark: { readonly name: string } }
  | { readonly event: "clear" }
  | { readonly event: "stop" };

export interface ExotelStart {
  readonly stream_sid: string;
  readonly call_sid: string;
  readonly account_sid: string;
  readonly from?: string;
  readonly to?: string;
  readonly custom_parameters?: Readonly<Record<string, string>>;
  /** `encoding` has had many names for the same thing; `sample_rate` means what it says. */
  readonly media_format?: { readonly encoding?: string; readonly sample_rate?: string };
}

/**
 * Plivo's messages on the socket, those parts that are read or written. There is none for the end of a call: its socket
 * closes. https://www.plivo.com/docs/voice/audio-streaming/audio-streaming
 */
export type PlivoMessage =
  | { readonly event: "start"; readonly start: PlivoStart; readonly extra_headers?: string }
  | { readonly event: "media"; readonly media: PlivoMedia }
  | { readonly event: "dtmf"; readonly dtmf: { readonly digit: string } }
  | { readonly event: "playedStream"; readonly name: string }
  | { readonly event: "clearedAudio" };

export interface PlivoStart {
  readonly callId: string;
  readonly streamId: string;
  readonly accountId?: string;
  readonly mediaFormat?: { readonly encoding: string; readonly sampleRate: number };
}

export interface PlivoMedia {
  readonly track?: string;
  /** Milliseconds since 1970, as text. */
  readonly timestamp?: string;
  readonly payload: string;
}

/** `k=v;k2=v2`, as the document's `extraHeaders` come back; `undefined` when there are none. */
export function readExtraHeaders(text: string | undefined): Readonly<Record<string, string>> | undefined {
  const pairs = (text ?? "")
    .split(/[;,]/)
    .map((pair) => pair.trim().split(/=(.*)/s))
    .filter((pair): pair is [string, string] => Boolean(pair[0]) && pair[1] !== undefined);
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs);
}

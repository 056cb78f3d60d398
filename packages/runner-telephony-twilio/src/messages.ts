import { type JsonObject, objectIn, textIn } from "@pipecat-ts/runner-telephony";

/**
 * Twilio's messages on the socket, those parts that are read or written. Numbers come as text.
 * https://www.twilio.com/docs/voice/media-streams/websocket-messages
 */
export type TwilioMessage =
  | { readonly event: "connected" }
  | { readonly event: "start"; readonly streamSid?: string; readonly start: TwilioStart }
  | { readonly event: "media"; readonly media: { readonly timestamp?: string; readonly payload: string } }
  | { readonly event: "dtmf"; readonly dtmf: { readonly digit: string } }
  | { readonly event: "mark"; readonly mark: { readonly name: string } }
  | { readonly event: "stop" };

/** A page that acts as a phone sends no more than the two ids. */
export interface TwilioStart {
  readonly streamSid: string;
  readonly callSid: string;
  readonly accountSid?: string;
  readonly mediaFormat?: { readonly encoding: string; readonly sampleRate: number | string };
  readonly customParameters?: Readonly<Record<string, string>>;
}

/** Whether a message is a `start` with the two ids that every one of Twilio's has. */
export function isStart(message: JsonObject): boolean {
  const start = objectIn(message, "start");
  return (
    message.event === "start" && textIn(start, "streamSid") !== undefined && textIn(start, "callSid") !== undefined
  );
}

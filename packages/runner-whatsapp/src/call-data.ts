import type { CallData } from "@pipecat-ts/runner-core";
import type { CallConnect } from "./messages.ts";

/** A WhatsApp call, as bots get it in `args.callData`. */
export interface WhatsAppCallData extends CallData {
  /** WhatsApp's id of the call. The caller's number is encoded in it: never log it. */
  readonly callId: string;
  /** The same: WhatsApp has no id of the media. */
  readonly streamId: string;
  /** The caller's number, digits alone, with the country's code. Never log it. */
  readonly from: string;
  /** The business number that was called, in the same form. */
  readonly to: string;
  /** The caller's profile name, where they let it be seen. */
  readonly callerName?: string;
  /** The id of the business number. */
  readonly phoneNumberId: string;
  /** When the call began, in seconds since 1970, as text. */
  readonly timestamp?: string;
  /** What the link said that the caller tapped (`biz_payload`). */
  readonly deeplinkPayload?: string;
  /** What the call button said that the caller tapped. */
  readonly ctaPayload?: string;
}

export function callDataOf({ callId, phoneNumberId, callerName, call }: CallConnect): WhatsAppCallData {
  const { from, to, timestamp, deeplink_payload: deeplinkPayload, cta_payload: ctaPayload } = call;
  return {
    callId,
    streamId: callId,
    from,
    to,
    phoneNumberId,
    ...(callerName === undefined ? {} : { callerName }),
    ...(timestamp ? { timestamp } : {}),
    ...(deeplinkPayload ? { deeplinkPayload } : {}),
    ...(ctaPayload ? { ctaPayload } : {}),
  };
}

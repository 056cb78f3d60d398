import type { CallData } from "@pipecat-ts/runner-core";
import type { CallConnect } from "./messages.ts";

/** A WhatsApp call, as the bot's `args.callData`. */
export interface WhatsAppCallData extends CallData {
  /** WhatsApp's id of the call. Never log it: it contains the caller's number. */
  readonly callId: string;
  /** The same as `callId`: WhatsApp has no separate id for the media. */
  readonly streamId: string;
  /** The caller's number: country code and number, digits only. May be missing if the caller has a username. Never log it. */
  readonly from?: string;
  /** WhatsApp's id of the caller for this business: `US.13491208655302741918`. Never log it. */
  readonly userId?: string;
  /** The called business number, in the same format. */
  readonly to: string;
  /** The caller's profile name, if the caller shares it. */
  readonly callerName?: string;
  /** The id of the business number. */
  readonly phoneNumberId: string;
  /** When the call began: seconds since 1970, as a string. */
  readonly timestamp?: string;
  /** The payload of the link that the caller tapped (`biz_payload`). */
  readonly deeplinkPayload?: string;
  /** The payload of the call button that the caller tapped. */
  readonly ctaPayload?: string;
}

export function callDataOf({ callId, phoneNumberId, callerName, call }: CallConnect): WhatsAppCallData {
  const {
    from,
    from_user_id: userId,
    to,
    timestamp,
    deeplink_payload: deeplinkPayload,
    cta_payload: ctaPayload,
  } = call;
  return {
    callId,
    streamId: callId,
    ...(from ? { from } : {}),
    ...(userId ? { userId } : {}),
    to,
    phoneNumberId,
    ...(callerName === undefined ? {} : { callerName }),
    ...(timestamp ? { timestamp } : {}),
    ...(deeplinkPayload ? { deeplinkPayload } : {}),
    ...(ctaPayload ? { ctaPayload } : {}),
  };
}

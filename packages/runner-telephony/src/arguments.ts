import type { Transport, TransportEvents, TransportParams } from "@pipecat-ts/runner-core";
import type { Whisper } from "./whisper.ts";

/** The params of a phone call. */
export interface PhoneParams extends TransportParams {
  /**
   * Whether to hang up when the bot returns or closes the transport, or its process crashes. Default true. When false, only the media
   * stream ends and the carrier continues with the next step of its document.
   */
  readonly autoHangUp?: boolean | undefined;
}

/** The transport of a phone call. Its event `dtmf` reports the keys that the caller presses. */
export interface PhoneTransport extends Transport<PhoneEvents>, PhoneMethods {}

/** The events of a phone call. */
export interface PhoneEvents extends TransportEvents {
  /**
   * An answering machine has answered the outbound call, with `machineDetection: "report"`. Its greeting may still be playing: wait for
   * silence, and then leave a message, or hang up. At most once in a call.
   */
  machineAnswered: [];
}

/** The methods that a phone transport adds to `Transport`. */
export interface PhoneMethods {
  /**
   * Plays queued audio and hangs up, also when `autoHangUp` is false. Resolves when the call has ended. Rejects with
   * CARRIER_CREDENTIALS_MISSING when the carrier's API is not configured, and with CALL_UNVERIFIED when nothing proves that the
   * carrier sent the call; the call then continues.
   */
  hangUp(): Promise<void>;
  /**
   * Plays queued audio and transfers the caller to `number`: E.164 (`+15550100`) or a SIP URI. The carrier plays `whisper` to the
   * callee before it connects the caller. Resolves when the carrier has accepted; the session then ends. Rejects with
   * PHONE_NUMBER_INVALID, WHISPER_INVALID, CALL_ENDED, TRANSFER_UNSUPPORTED, CARRIER_CREDENTIALS_MISSING, CALL_UNVERIFIED,
   * PUBLIC_URL_MISSING or CARRIER_REFUSED; the call then continues. Rejects with TRANSFER_UNDER_WAY, and has no effect, while
   * another transfer is in progress or accepted.
   */
  transferTo(number: string, options?: { readonly whisper?: Whisper | undefined }): Promise<void>;
  /**
   * Plays queued audio and sends DTMF: `0-9 * # A-D`, and `w` for a pause of 500 ms. Carriers that cannot send DTMF get audible
   * tones, which an interruption cuts off. Rejects with DTMF_INVALID, DTMF_INTERRUPTED, CALL_ENDED or CARRIER_REFUSED.
   */
  sendDtmf(digits: string): Promise<void>;
}

import type { TransportParams } from "@pipecat-ts/runner-core";

/** What a bot may choose about a phone call. */
export interface PhoneParams extends TransportParams {
  /**
   * Whether the carrier is told to hang up when the bot closes the transport or returns. Default true. When false, the
   * stream ends and the carrier goes on with what its document says next.
   */
  readonly autoHangUp?: boolean;
}

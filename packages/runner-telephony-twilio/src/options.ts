import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";

/** Twilio's settings. */
export interface TwilioOptions extends CarrierOptions {
  /** The account that calls are hung up by; the call's own where it is not given. */
  readonly accountSid: string | undefined;
  /** Hangs up, transfers, and verifies signatures. */
  readonly authToken: string | undefined;
  /** `ie1`: the region of the account, and with it the API's host. */
  readonly region: string | undefined;
  readonly edge: string | undefined;
  readonly apiUrl: string;
}

/** Where the API is unless a region or an edge is given. */
export const standardApiUrl = "https://api.twilio.com";

export const options: OptionTable<TwilioOptions> = {
  accountSid: environmentOption("TWILIO_ACCOUNT_SID", "Account that calls are hung up by"),
  authToken: environmentOption("TWILIO_AUTH_TOKEN", "Its token", { secret: true }),
  region: environmentOption("TWILIO_REGION", "Region of the account, like ie1"),
  edge: environmentOption("TWILIO_EDGE", "Edge by which the API is reached, like dublin"),
  apiUrl: apiUrlOption("TWILIO_API_URL", standardApiUrl),
  verifySignatures: verifySignaturesOption(),
};

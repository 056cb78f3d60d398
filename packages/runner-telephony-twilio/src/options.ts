import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  dialOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";

/** Twilio's settings. */
export interface TwilioOptions extends CarrierOptions {
  /** The account of API requests. Default: the account of the call. */
  readonly accountSid: string | undefined;
  /** Verifies signatures, and authenticates API requests without an API key. */
  readonly authToken: string | undefined;
  /** The SID and the secret of an API key, which authenticate API requests: https://www.twilio.com/docs/iam/api-keys */
  readonly apiKey: string | undefined;
  readonly apiSecret: string | undefined;
  /** The region of the account, such as `ie1`. Part of the API's host name, as is `edge`. */
  readonly region: string | undefined;
  readonly edge: string | undefined;
  readonly apiUrl: string;
}

/** The API's base URL without a region and an edge. */
export const defaultApiUrl = "https://api.twilio.com";

export const options: OptionTable<TwilioOptions> = {
  accountSid: environmentOption("TWILIO_ACCOUNT_SID", "Account SID"),
  authToken: environmentOption("TWILIO_AUTH_TOKEN", "Auth token of the account", { secret: true }),
  apiKey: environmentOption("TWILIO_API_KEY", "SID of an API key, for API requests instead of the auth token"),
  apiSecret: environmentOption("TWILIO_API_SECRET", "Secret of the API key", { secret: true }),
  region: environmentOption("TWILIO_REGION", "Region of the account, like ie1"),
  edge: environmentOption("TWILIO_EDGE", "Edge location of the API, like dublin"),
  apiUrl: apiUrlOption("TWILIO_API_URL", defaultApiUrl),
  verifySignatures: verifySignaturesOption(),
  ...dialOptions(),
};

import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  dialOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";
import * as Type from "typebox";

/** Exotel's settings. */
export interface ExotelOptions extends CarrierOptions {
  /** With `apiToken`, the credentials in the applet's URL, which authenticate Exotel. */
  readonly apiKey: string | undefined;
  readonly apiToken: string | undefined;
  /** The account that places calls, with the credentials of the applet's URL. */
  readonly accountSid: string | undefined;
  readonly apiUrl: string;
  /** Sample rate in Hz that the webhook reply requests. */
  readonly sampleRate: 8_000 | 16_000 | 24_000;
}

export const options: OptionTable<ExotelOptions> = {
  apiKey: environmentOption("EXOTEL_API_KEY", "User name in the applet's URL", { secret: true }),
  apiToken: environmentOption("EXOTEL_API_TOKEN", "Password in the applet's URL", { secret: true }),
  accountSid: environmentOption(
    "EXOTEL_ACCOUNT_SID",
    "Account of outbound calls; the two variables above must be its API key and token",
  ),
  apiUrl: apiUrlOption("EXOTEL_API_URL", "https://api.exotel.com"),
  sampleRate: {
    flag: "exotel-sample-rate",
    env: "EXOTEL_SAMPLE_RATE",
    default: 8_000,
    description: "Sample rate of calls whose socket URL the applet requests",
    schema: Type.Union([Type.Literal(8_000), Type.Literal(16_000), Type.Literal(24_000)]),
    placeholder: "hz",
  },
  verifySignatures: verifySignaturesOption(),
  ...dialOptions(),
};

import type { OptionTable } from "@pipecat-ts/runner-core";
import { type CarrierOptions, environmentOption, verifySignaturesOption } from "@pipecat-ts/runner-telephony";
import Type from "typebox";

/** Exotel's settings. */
export interface ExotelOptions extends CarrierOptions {
  /** With `apiToken`, what the applet's URL has before the host, and Exotel proves itself by. */
  readonly apiKey: string | undefined;
  readonly apiToken: string | undefined;
  /** Rate in Hz that the answer to the applet asks for. */
  readonly sampleRate: 8_000 | 16_000 | 24_000;
}

export const options: OptionTable<ExotelOptions> = {
  apiKey: environmentOption("EXOTEL_API_KEY", "User name in the applet's URL", { secret: true }),
  apiToken: environmentOption("EXOTEL_API_TOKEN", "Password in the applet's URL", { secret: true }),
  sampleRate: {
    flag: "exotel-sample-rate",
    env: "EXOTEL_SAMPLE_RATE",
    default: 8_000,
    description: "Rate of a call whose URL the applet asks for",
    schema: Type.Union([Type.Literal(8_000), Type.Literal(16_000), Type.Literal(24_000)]),
    placeholder: "hz",
  },
  verifySignatures: verifySignaturesOption(),
};

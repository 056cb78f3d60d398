import { createPrivateKey, type KeyObject } from "node:crypto";
import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  dialOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";
import * as Type from "typebox";

/** Vonage's settings. */
export interface VonageOptions extends CarrierOptions {
  /** With `privateKey`, authenticates API requests. */
  readonly applicationId: string | undefined;
  readonly privateKey: KeyObject | undefined;
  /** Verifies webhooks. */
  readonly signatureSecret: string | undefined;
  /** Sample rate of calls in Hz, which the webhook reply requests. */
  readonly sampleRate: 8_000 | 16_000 | 24_000;
  readonly apiUrl: string;
}

export const options: OptionTable<VonageOptions> = {
  applicationId: environmentOption("VONAGE_APPLICATION_ID", "ID of the application"),
  privateKey: {
    env: "VONAGE_PRIVATE_KEY",
    description: "Private key of the application, in PEM",
    schema: Type.Unsafe<KeyObject>(Type.Object({}, { description: "an RSA key in PEM, with line breaks or \\n" })),
    // Docker and Kubernetes pass the quotes of an .env file on.
    parse: (text) =>
      createPrivateKey(
        text
          .trim()
          .replace(/^"(.*)"$/s, "$1")
          .replaceAll("\\n", "\n"),
      ),
    secret: true,
  },
  signatureSecret: environmentOption("VONAGE_SIGNATURE_SECRET", "Secret that signs webhooks", { secret: true }),
  sampleRate: {
    flag: "vonage-sample-rate",
    env: "VONAGE_SAMPLE_RATE",
    default: 16_000,
    description: "Sample rate of calls",
    schema: Type.Union([Type.Literal(8_000), Type.Literal(16_000), Type.Literal(24_000)]),
    placeholder: "hz",
  },
  apiUrl: apiUrlOption("VONAGE_API_URL", "https://api.nexmo.com"),
  verifySignatures: verifySignaturesOption(),
  ...dialOptions(),
};

import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";
import Type from "typebox";

/** Telnyx's settings. */
export interface TelnyxOptions extends CarrierOptions {
  /** Hangs up, transfers, and dials. */
  readonly apiKey: string | undefined;
  /** Verifies webhooks: 32 bytes in base64, from the portal. */
  readonly publicKey: string | undefined;
  /** What is sent to Telnyx; what comes is as the call's leg has it. */
  readonly codec: "PCMU" | "PCMA";
  readonly apiUrl: string;
}

export const options: OptionTable<TelnyxOptions> = {
  apiKey: environmentOption("TELNYX_API_KEY", "Key that calls are hung up by", { secret: true }),
  publicKey: {
    env: "TELNYX_PUBLIC_KEY",
    description: "Key that webhooks are verified with",
    schema: Type.Refine(
      Type.String({ description: "32 bytes in base64, as the portal shows it" }),
      (text) => Buffer.from(text, "base64").length === 32,
    ),
  },
  codec: {
    flag: "telnyx-codec",
    env: "TELNYX_CODEC",
    default: "PCMU",
    description: "What is sent to Telnyx; a document of your own must name it, too",
    schema: Type.Union([Type.Literal("PCMU"), Type.Literal("PCMA")]),
    placeholder: "codec",
  },
  apiUrl: apiUrlOption("TELNYX_API_URL", "https://api.telnyx.com"),
  verifySignatures: verifySignaturesOption(),
};

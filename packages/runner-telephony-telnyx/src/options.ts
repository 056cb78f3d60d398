import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  dialOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";
import * as Type from "typebox";

/** Telnyx's settings. */
export interface TelnyxOptions extends CarrierOptions {
  /** Authenticates API requests. */
  readonly apiKey: string | undefined;
  /** The account and the TeXML application that place calls. */
  readonly accountSid: string | undefined;
  readonly applicationSid: string | undefined;
  /** Verifies webhooks: 32 bytes in base64, from the portal. */
  readonly publicKey: string | undefined;
  /** The codec of audio to Telnyx. Audio from Telnyx has the codec of the call's leg. */
  readonly codec: "PCMU" | "PCMA" | "L16" | "OPUS";
  /** The byte order of L16, in both directions. */
  readonly l16ByteOrder: "little-endian" | "big-endian";
  readonly apiUrl: string;
}

/** The sample rate in Hz of the wideband codecs, as the webhook reply requests it. */
export const wideSampleRate = 16_000;

/** Whether a codec carries more than 8,000 Hz. The webhook reply requests such a codec for both directions. */
export function isWideband(codec: TelnyxOptions["codec"]): boolean {
  return codec === "L16" || codec === "OPUS";
}

export const options: OptionTable<TelnyxOptions> = {
  apiKey: environmentOption("TELNYX_API_KEY", "API key", { secret: true }),
  accountSid: environmentOption("TELNYX_ACCOUNT_SID", "Account of outbound calls: its organization id"),
  applicationSid: environmentOption("TELNYX_APPLICATION_SID", "TeXML application of outbound calls"),
  publicKey: {
    env: "TELNYX_PUBLIC_KEY",
    description: "Public key that verifies webhooks",
    schema: Type.Refine(
      Type.String({ description: "32 bytes in base64, as the portal shows it" }),
      (text) => Buffer.from(text, "base64").length === 32,
    ),
  },
  codec: {
    flag: "telnyx-codec",
    env: "TELNYX_CODEC",
    default: "PCMU",
    description:
      "Codec of audio to Telnyx; L16 and OPUS are also requested from Telnyx; TeXML of your own must name the same one",
    schema: Type.Union([Type.Literal("PCMU"), Type.Literal("PCMA"), Type.Literal("L16"), Type.Literal("OPUS")]),
    placeholder: "codec",
  },
  l16ByteOrder: {
    env: "TELNYX_L16_BYTE_ORDER",
    default: "little-endian",
    description: "Byte order of L16: little-endian, or big-endian if both sides hear noise",
    schema: Type.Union([Type.Literal("little-endian"), Type.Literal("big-endian")]),
  },
  apiUrl: apiUrlOption("TELNYX_API_URL", "https://api.telnyx.com"),
  verifySignatures: verifySignaturesOption(),
  ...dialOptions(),
};

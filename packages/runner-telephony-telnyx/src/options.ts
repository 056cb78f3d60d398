import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";
import * as Type from "typebox";

/** Telnyx's settings. */
export interface TelnyxOptions extends CarrierOptions {
  /** Authenticates API requests. */
  readonly apiKey: string | undefined;
  /** Verifies webhooks: 32 bytes in base64, from the portal. */
  readonly publicKey: string | undefined;
  /** The codec of audio to Telnyx. Audio from Telnyx has the codec of the call's leg. */
  readonly codec: "PCMU" | "PCMA" | "L16";
  /** The byte order of L16, in both directions. */
  readonly l16ByteOrder: "little-endian" | "big-endian";
  readonly apiUrl: string;
}

export const options: OptionTable<TelnyxOptions> = {
  apiKey: environmentOption("TELNYX_API_KEY", "API key", { secret: true }),
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
      "Codec of audio to Telnyx, which L16 also requests from Telnyx; TeXML of your own must name the same one",
    schema: Type.Union([Type.Literal("PCMU"), Type.Literal("PCMA"), Type.Literal("L16")]),
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
};

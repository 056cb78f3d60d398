import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";
import Type from "typebox";

/** Plivo's settings. */
export interface PlivoOptions extends CarrierOptions {
  readonly authId: string | undefined;
  /** Hangs up, transfers, and verifies signatures. */
  readonly authToken: string | undefined;
  /** Whether a socket that Plivo did not sign is refused. */
  readonly verifySockets: boolean;
  /** The audio that the answer document asks for. */
  readonly contentType: string;
  readonly apiUrl: string;
}

const contentTypes = ["audio/x-mulaw;rate=8000", "audio/x-l16;rate=8000", "audio/x-l16;rate=16000"];

export const options: OptionTable<PlivoOptions> = {
  authId: environmentOption("PLIVO_AUTH_ID", "Account that calls are hung up by"),
  authToken: environmentOption("PLIVO_AUTH_TOKEN", "Its token", { secret: true }),
  verifySockets: {
    flag: "plivo-verify-sockets",
    env: "PLIVO_VERIFY_SOCKETS",
    default: false,
    description: "Refuse sockets that Plivo did not sign, too",
    schema: Type.Boolean(),
  },
  contentType: {
    flag: "plivo-content-type",
    env: "PLIVO_CONTENT_TYPE",
    default: "audio/x-mulaw;rate=8000",
    description: "The audio of a call",
    schema: Type.Union(contentTypes.map((type) => Type.Literal(type))),
    placeholder: "type",
  },
  apiUrl: apiUrlOption("PLIVO_API_URL", "https://api.plivo.com"),
  verifySignatures: verifySignaturesOption(),
};

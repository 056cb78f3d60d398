import type { OptionTable } from "@pipecat-ts/runner-core";
import {
  apiUrlOption,
  type CarrierOptions,
  dialOptions,
  environmentOption,
  verifySignaturesOption,
} from "@pipecat-ts/runner-telephony";
import * as Type from "typebox";

/** Plivo's settings. */
export interface PlivoOptions extends CarrierOptions {
  readonly authId: string | undefined;
  /** Authenticates API requests and verifies signatures. */
  readonly authToken: string | undefined;
  /** Whether to reject sockets that Plivo did not sign. */
  readonly verifySockets: boolean;
  /** The audio format that the webhook reply requests. */
  readonly contentType: string;
  readonly apiUrl: string;
}

const contentTypes = ["audio/x-mulaw;rate=8000", "audio/x-l16;rate=8000", "audio/x-l16;rate=16000"];

export const options: OptionTable<PlivoOptions> = {
  authId: environmentOption("PLIVO_AUTH_ID", "Auth ID of the account"),
  authToken: environmentOption("PLIVO_AUTH_TOKEN", "Auth token of the account", { secret: true }),
  verifySockets: {
    flag: "plivo-verify-sockets",
    env: "PLIVO_VERIFY_SOCKETS",
    default: false,
    description: "Also reject sockets that Plivo did not sign",
    schema: Type.Boolean(),
  },
  contentType: {
    flag: "plivo-content-type",
    env: "PLIVO_CONTENT_TYPE",
    default: "audio/x-mulaw;rate=8000",
    description: "Audio format of calls",
    schema: Type.Union(contentTypes.map((type) => Type.Literal(type))),
    placeholder: "type",
  },
  apiUrl: apiUrlOption("PLIVO_API_URL", "https://api.plivo.com"),
  verifySignatures: verifySignaturesOption(),
  ...dialOptions(),
};

import type { OptionDefinition, OptionTable } from "@pipecat-ts/runner-core";
import * as Type from "typebox";
import type { CarrierOptions } from "./carrier.ts";

/** The option `verifySignatures`. All carriers share its flag. */
export function verifySignaturesOption(): OptionDefinition<boolean> {
  return {
    flag: "verify-signatures",
    default: true,
    description: "Reject calls that their carrier did not sign; --no-verify-signatures accepts them",
    schema: Type.Boolean(),
  };
}

/** An option that is set with an environment variable only, such as an account id; `secret` values are never printed. */
export function environmentOption(
  env: string,
  description: string,
  { secret = false }: { readonly secret?: boolean } = {},
): OptionDefinition<string> {
  return { env, description, schema: Type.String({ minLength: 1 }), ...(secret ? { secret } : {}) };
}

/** The option for the base URL of the carrier's REST API, for tests and regions. */
export function apiUrlOption(env: string, defaultUrl: string): OptionDefinition<string> {
  const url = Type.Refine(
    Type.String({ description: "the URL of a web server, like https://api.example.com" }),
    (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ""),
  );
  return { env, default: defaultUrl, description: "Base URL of the REST API", schema: url };
}

/** The options of outbound calls. All carriers share their flags. */
export function dialOptions(): Pick<OptionTable<CarrierOptions>, "allowDial" | "dialLimit"> {
  const prefix = Type.Refine(Type.String({ description: "the start of phone numbers in E.164, like +1555" }), (text) =>
    /^\+[1-9][0-9]{0,14}$/.test(text),
  );
  return {
    allowDial: {
      flag: "allow-dial",
      env: "PIPECAT_ALLOW_DIAL",
      default: [],
      description:
        "Starts of phone numbers that POST /start may call: several values, or separated by commas (default: none)",
      schema: Type.Array(prefix),
      placeholder: "prefixes",
    },
    dialLimit: {
      flag: "dial-limit",
      env: "PIPECAT_DIAL_LIMIT",
      default: 10,
      description: "Maximum number of outbound calls per minute, of all carriers together",
      schema: Type.Integer({ minimum: 1, maximum: 600 }),
      placeholder: "count",
    },
  };
}

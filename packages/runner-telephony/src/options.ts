import type { OptionDefinition } from "@pipecat-ts/runner-core";
import * as Type from "typebox";

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

import { type OptionDefinition, RunnerError } from "@pipecat-ts/runner-core";
import Type from "typebox";

/** The option `verifySignatures`. All carriers have one flag for it. */
export function verifySignaturesOption(): OptionDefinition<boolean> {
  return {
    flag: "verify-signatures",
    default: true,
    description: "Refuse calls that their carrier did not sign; --no-verify-signatures takes them",
    schema: Type.Boolean(),
  };
}

/** An option that only the environment gives: an account's id, or with `secret` what must never be printed. */
export function environmentOption(
  env: string,
  description: string,
  { secret = false }: { readonly secret?: boolean } = {},
): OptionDefinition<string> {
  return { env, description, schema: Type.String({ minLength: 1 }), ...(secret ? { secret } : {}) };
}

/** The option that says where a carrier's REST API is, for tests and regions. */
export function apiUrlOption(env: string, standard: string): OptionDefinition<string> {
  const url = Type.Refine(
    Type.String({ description: "the URL of a web server, like https://api.example.com" }),
    (text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ""),
  );
  return { env, default: standard, description: "Where its REST API is", schema: url };
}

/**
 * The URL of an API's path. Segments are escaped: a call's id may hold anything. Throws CARRIER_REFUSED for what no escaping
 * keeps in its segment: `.` and `..`, by which a path that names one call would name them all, and text that is not
 * well-formed.
 */
export function apiPath(base: string, ...segments: readonly string[]): URL {
  if (segments.some((segment) => /^\.{1,2}$/.test(segment) || !segment.isWellFormed())) {
    throw new RunnerError("CARRIER_REFUSED", "The carrier's API was not asked: what should name a call is no id.", {
      fix: "Look at where the call came from: carriers have no such ids.",
    });
  }
  return new URL(`${base.replace(/\/+$/, "")}/${segments.map(encodeURIComponent).join("/")}`);
}

/** The header that HTTP's Basic authentication asks for. */
export function basicAuthorization(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
}

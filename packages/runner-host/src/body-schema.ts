import { RunnerError } from "@pipecat-ts/runner-core";
import type { TSchema } from "typebox";
import { Check, Errors } from "typebox/value";

/** Throws BODY_INVALID, which names the field, when a parsed body is not what `schema` says. */
export function refuseInvalidBody(schema: TSchema, body: unknown): void {
  if (Check(schema, body)) return;
  const error = Errors(schema, body)[0];
  const field = error?.instancePath.slice(1).replaceAll("/", ".");
  throw new RunnerError("BODY_INVALID", `${field ? `"${field}" in the body` : "The body"} ${error?.message}.`);
}

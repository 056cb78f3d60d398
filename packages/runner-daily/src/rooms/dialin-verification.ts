import { isReachedByOthers, type RunnerSettings } from "@pipecat-ts/runner-core";
import type { DailyOptions } from "../options.ts";

/**
 * How dial-in webhooks are told from forged ones: by the secret that Daily signs with. Without one all are taken, with a
 * warning where strangers reach this server, or none is.
 */
export type DialinVerification = { readonly secret: string } | "taken" | "warned" | "refused";

/** Where callers must prove themselves, an unsigned webhook would be a way in for everybody, unless the operator wants that. */
export function chooseVerification(
  { pinlessHmacSecret: secret, verifySignatures }: Pick<DailyOptions, "pinlessHmacSecret" | "verifySignatures">,
  settings: Pick<RunnerSettings, "callersMustProve" | "host" | "publicUrl" | "trustProxy">,
): DialinVerification {
  if (!verifySignatures) return "taken";
  if (secret !== undefined) return { secret };
  if (settings.callersMustProve) return "refused";
  return isReachedByOthers(settings) ? "warned" : "taken";
}

import { RunnerError } from "@pipecat-ts/runner-core";

/** The error of what a carrier has to reach, while the runner does not know where it is reached. */
export function publicUrlMissing(what: string, host = "<public hostname>"): RunnerError {
  return new RunnerError("PUBLIC_URL_MISSING", `${what}, and this server's is not known.`, {
    fix: `Start the runner with --proxy ${host}, or with --public-url.`,
  });
}

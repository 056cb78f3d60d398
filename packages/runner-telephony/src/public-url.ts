import { RunnerError } from "@pipecat-ts/runner-core";

/** Whether a host name means this machine, to itself alone. */
export function isLocal(hostname: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[?::1\]?)$/.test(hostname);
}

/** The error of what a carrier has to reach, while the runner does not know where it is reached. */
export function publicUrlMissing(what: string, host = "<public hostname>"): RunnerError {
  return new RunnerError("PUBLIC_URL_MISSING", `${what}, and this server's is not known.`, {
    fix: `Start the runner with --proxy ${host}, or with --public-url.`,
  });
}

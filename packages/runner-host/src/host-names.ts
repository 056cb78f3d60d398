import type { IncomingMessage } from "node:http";
import { isLoopback, type Logger, RunnerError, type RunnerSettings } from "@pipecat-ts/runner-core";

/** Throws HOST_REFUSED for a request that came by a name which is not this server's. */
export type RefuseForeignHosts = (request: IncomingMessage) => void;

/**
 * A page of any site can have its own name point to this machine, and then counts as of one origin with whatever answers
 * here (DNS rebinding). So a server that is meant for this machine, and asks for no key, answers only to the machine's own
 * names and the configured public one. Of any other the first is logged: it may be a tunnel that nobody told of.
 */
export function createHostCheck(
  { host, publicUrl }: Pick<RunnerSettings, "host" | "publicUrl">,
  hasKey: boolean,
  logger: Logger,
): RefuseForeignHosts {
  if (hasKey || !isLoopback(host)) return () => undefined;
  let told = false;
  return ({ headers }) => {
    const name = URL.parse(`http://${headers.host}`)?.hostname ?? "";
    if (isLoopback(name) || name === publicUrl?.hostname) return;
    const fix = "Call it as localhost; a tunnel or proxy is announced by --public-url or --proxy.";
    if (!told) logger.warn(`Refused a request to the host name "${name}", which is not this machine's. ${fix}`);
    told = true;
    throw new RunnerError("HOST_REFUSED", "This server does not go by this host name.", { fix });
  };
}

import type { IncomingMessage } from "node:http";
import { RunnerError, type RunnerSettings } from "@pipecat-ts/runner-core";

/** The pages that may call this server. */
export interface Origins {
  /** Whether only some may. */
  readonly restricted: boolean;
  /** Whether the page that made the request may; true when no page did. */
  allows(request: IncomingMessage): boolean;
  /** Throws ORIGIN_REFUSED when a page made the request that may not. */
  refuseForeign(request: IncomingMessage): void;
  /** The same where the list is empty: then for every page but this server's own. */
  refuseUnlisted(request: IncomingMessage): void;
}

/**
 * The origins of the list, compared as text in whatever case, and this server's own: the client's page is served by it. An
 * empty list or `*` means every origin.
 */
export function createOrigins(
  list: readonly string[],
  { publicUrl, trustProxy }: Pick<RunnerSettings, "publicUrl" | "trustProxy">,
): Origins {
  const listed = new Set(list.map((origin) => origin.toLowerCase()));
  const restricted = listed.size > 0 && !listed.has("*");

  function isOwn(origin: string, { headers }: IncomingMessage): boolean {
    const forwarded = trustProxy ? [headers["x-forwarded-host"]].flat()[0]?.split(",")[0]?.trim() : undefined;
    const url = URL.parse(origin);
    if (!url || url.host === "") return false;
    // The scheme is not compared: behind a proxy that ends TLS this server does not know it.
    const hosts = [forwarded ?? headers.host].map((host) => URL.parse(`${url.protocol}//${host}`)?.host);
    return [publicUrl?.host, ...hosts].includes(url.host);
  }

  function isKnown(request: IncomingMessage): boolean {
    const { origin } = request.headers;
    return origin === undefined || listed.has("*") || listed.has(origin.toLowerCase()) || isOwn(origin, request);
  }

  function refuseUnlisted(request: IncomingMessage): void {
    if (!isKnown(request)) throw originRefused(`Pages of ${request.headers.origin?.slice(0, 100)} may not call here.`);
  }

  return {
    restricted,
    allows: (request) => !restricted || isKnown(request),
    refuseForeign(request) {
      if (restricted) refuseUnlisted(request);
    },
    refuseUnlisted,
  };
}

export function originRefused(message: string): RunnerError {
  return new RunnerError("ORIGIN_REFUSED", message, { fix: "The operator lists those that may: --allowed-origins." });
}

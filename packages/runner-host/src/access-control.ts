import type { IncomingMessage } from "node:http";
import type { Logger, RunnerSettings, Session } from "@pipecat-ts/runner-core";
import type { Middleware } from "koa";
import type { AccessOptions } from "./access-options.ts";
import { type ApiKey, createApiKey } from "./api-key.ts";
import { createHostCheck } from "./host-names.ts";
import { createOrigins, type Origins } from "./origins.ts";
import { type AdmitSocket, createSocketAccess } from "./socket-access.ts";
import { createSocketTokens } from "./socket-tokens.ts";

/** Who may call what of one runner. */
export interface AccessControl {
  readonly apiKey: ApiKey;
  readonly origins: Origins;
  readonly admitSocket: AdmitSocket;
  /** See `RunnerContext.socketSegment`. */
  socketSegment(session: Session): string;
  /**
   * For what tells of other callers. Throws KEY_REQUIRED like the key's own; where there is no key, ORIGIN_REFUSED for pages
   * of other sites: with no list of origins those may start calls of their own, and no more.
   */
  requireOperator(request: IncomingMessage): void;
  /** Throws HOST_REFUSED for a request that another site's page may have had point here. */
  refuseForeignHost(request: IncomingMessage): void;
}

export function createAccessControl(
  { apiKey: key, webSocketAuth, webSocketSecret, allowedOrigins }: AccessOptions,
  settings: RunnerSettings,
  logger: Logger,
  findSession: (id: string) => Session,
): AccessControl {
  const apiKey = createApiKey(key);
  const origins = createOrigins(allowedOrigins, settings);
  const tokens = createSocketTokens(webSocketSecret);
  return {
    apiKey,
    origins,
    admitSocket: createSocketAccess({ auth: webSocketAuth, apiKey, origins, tokens, findSession }),
    socketSegment: (session) => (webSocketAuth === "token" ? tokens.create(session) : session.id),
    requireOperator(request) {
      apiKey.require(request);
      if (!apiKey.isSet) origins.refuseUnlisted(request);
    },
    refuseForeignHost: createHostCheck(settings, apiKey.isSet, logger),
  };
}

/** Ahead of every route: requests by a foreign host name, or of a page that may not call here. */
export function refuseStrangers({ refuseForeignHost, origins }: AccessControl): Middleware {
  return (ctx, next) => {
    refuseForeignHost(ctx.req);
    origins.refuseForeign(ctx.req);
    return next();
  };
}

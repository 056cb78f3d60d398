import { createHmac, randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { hostname } from "node:os";
import {
  type Access,
  isLoopback,
  isRunnerError,
  type Logger,
  RunnerError,
  type RunnerSettings,
  type Session,
  safeEqual,
} from "@pipecat-ts/runner-core";
import { type HostSession, pendingMs, type SessionEngine } from "@pipecat-ts/runner-sessions";
import type { AccessOptions } from "./runner.ts";

/** What a caller presents to open a socket, or a connection to a transport's own server. */
export interface PresentedCredentials {
  /** The session id or token in the URL. */
  readonly credential?: string | undefined;
  /** The API key or token in a header or query. */
  readonly bearer?: string | undefined;
  readonly origin?: string | undefined;
  /** Whether a browser's `Origin` belongs to this server. */
  readonly isOwnOrigin: boolean;
}

/** A caller who may connect. */
export interface Admission {
  /** The session that the credential names. */
  readonly session: HostSession | undefined;
  /** Makes the token valid again, unless the session runs: for a caller that could not connect. Later calls have no effect. */
  release(): void;
}

/** The access control of one runner. */
export interface AccessControl {
  /** Whether pages of only some origins may call. */
  readonly restrictsOrigins: boolean;
  /** Whether the page that sent the request may call; true for programs other than pages. */
  allowsOrigin(request: IncomingMessage): boolean;
  /** For every request. Throws REQUEST_INVALID, HOST_REFUSED or ORIGIN_REFUSED. */
  checkRequest(request: IncomingMessage): void;
  /** Throws REQUEST_INVALID for several host names, and HOST_REFUSED for one that does not belong to this server. */
  checkHost(request: IncomingMessage): void;
  /** Throws KEY_REQUIRED unless the request carries the API key, or none is set. */
  requireKey(request: IncomingMessage): void;
  /**
   * For requests that concern other callers. Throws KEY_REQUIRED; without a key, ORIGIN_REFUSED for pages of other origins,
   * which may only start calls of their own.
   */
  requireOperator(request: IncomingMessage): void;
  /** Whether `requireOperator` lets the request pass. */
  isOperator(request: IncomingMessage): boolean;
  /** The credentials of an upgrade request. */
  credentialsOf(request: IncomingMessage, url: URL, credential: string | undefined): PresentedCredentials;
  /** Throws ORIGIN_REFUSED for pages of other origins, before their request can consume a token. */
  requireOrigin(access: Access, presented: PresentedCredentials): void;
  /** Whether the caller presents the API key. */
  hasKey(presented: PresentedCredentials): boolean;
  /**
   * Admits a caller of a socket or of a transport's own server. `isVerified`: the vendor sent the request. Throws
   * ORIGIN_REFUSED, KEY_REQUIRED, TOKEN_REQUIRED, TOKEN_INVALID, SESSION_UNKNOWN, SESSION_NOT_PENDING, DRAINING or
   * AT_CAPACITY.
   */
  admit(access: Access, presented: PresentedCredentials, isVerified: boolean): Admission;
  /** The active session that the id or the token in a URL names, also after the token was used or has expired. */
  activeSession(credential: string): HostSession | undefined;
  /** See `RunnerContext.credential`. */
  credential(session: Session): string;
}

export function createAccessControl(
  { apiKey, webSocketAuth, webSocketSecret, allowedOrigins }: AccessOptions,
  settings: RunnerSettings,
  logger: Logger,
  engine: Pick<SessionEngine, "get" | "draining" | "assertAccepting">,
): AccessControl {
  const hasKey = apiKey !== undefined;
  const origins = createOrigins(allowedOrigins, settings, hasKey);
  const tokens = createSocketTokens(webSocketSecret);
  const usesTokens = webSocketAuth === "token";
  const checkHost = createHostCheck(settings, hasKey, logger);

  function requireOperator(request: IncomingMessage): void {
    requireKey(request);
    if (!hasKey) origins.requireListed(request.headers.origin, origins.isOwn(request));
  }

  function requireKey(request: IncomingMessage): void {
    if (hasKey && !safeEqual(apiKey, bearerOf(request)))
      throw keyRequired("Send the header Authorization: Bearer <key>.");
  }

  function requireOrigin(routeAccess: Access, { origin, isOwnOrigin }: PresentedCredentials): void {
    if (routeAccess !== "open") origins.require(origin, isOwnOrigin);
  }

  function admission(id: string | undefined): Admission {
    const session = id === undefined ? undefined : findSession(engine, id);
    requirePending(session);
    engine.assertAccepting(session);
    return { session, release: () => undefined };
  }

  function redeem(token: string, credential: string | undefined): Admission {
    const id = tokens.check(token);
    if (credential !== undefined && credential !== id && credential !== token) {
      throw tokenInvalid("The token belongs to another session.");
    }
    const session = findSession(engine, id);
    tokens.requireUnused(session);
    requirePending(session);
    engine.assertAccepting(session);
    tokens.use(session);
    let used = true;
    return {
      session,
      release() {
        if (used && session.state === "pending") tokens.restore(session);
        used = false;
      },
    };
  }

  return {
    restrictsOrigins: origins.restricted,
    allowsOrigin: (request) => origins.allows(request.headers.origin, origins.isOwn(request)),
    checkHost,
    checkRequest(request) {
      checkHost(request);
      origins.require(request.headers.origin, origins.isOwn(request));
      origins.requireNotEmbedded(request);
    },
    requireKey,
    requireOperator,
    isOperator(request) {
      try {
        requireOperator(request);
        return true;
      } catch (error) {
        if (isRunnerError(error)) return false;
        throw error;
      }
    },
    credentialsOf(request, url, credential) {
      return {
        credential,
        bearer: bearerOf(request) ?? url.searchParams.get("token") ?? undefined,
        origin: request.headers.origin,
        isOwnOrigin: origins.isOwn(request),
      };
    },
    requireOrigin,
    hasKey: ({ bearer }) => safeEqual(apiKey, bearer),
    admit(access, presented, isVerified) {
      const { credential, bearer, origin } = presented;
      requireOrigin(access, presented);
      if (usesTokens && credential?.includes(".")) return redeem(credential, undefined);
      if (access === "open") return admission(credential);
      if (safeEqual(apiKey, bearer)) return admission(credential);
      if (usesTokens) {
        if (bearer !== undefined) return redeem(bearer, credential);
        if (credential === undefined && isVerified) return admission(undefined);
        throw new RunnerError("TOKEN_REQUIRED", "This server requires a token on every socket.", {
          fix: "Open the URL from the reply of POST /start, or send its token as Authorization: Bearer or ?token=.",
        });
      }
      if (access === "caller" && origins.requiresOrigin && origin === undefined) {
        throw originRefused("A caller without an Origin needs a token or the API key.");
      }
      // Only those who started a session, with the key or with a verified webhook, know its id.
      if (hasKey && credential === undefined && !isVerified) {
        const vendors = access === "carrier" ? " of the webhook or" : "";
        throw keyRequired(`Open the URL from the reply${vendors} of POST /start, or add ?token=<key>.`);
      }
      return admission(credential);
    },
    activeSession(credential) {
      const id = usesTokens ? tokens.idIn(credential) : credential;
      const session = id === undefined ? undefined : engine.get(id);
      return session?.state === "active" ? session : undefined;
    },
    credential: (session) => (usesTokens ? tokens.create(session) : session.id),
  };
}

/** The live session with this id. Throws SESSION_UNKNOWN; DRAINING while draining, because clients retry after 503. */
export function findSession(
  engine: Pick<SessionEngine, "get" | "draining" | "assertAccepting">,
  id: string,
): HostSession {
  const session = engine.get(id);
  if (session) return session;
  if (engine.draining) engine.assertAccepting();
  throw sessionUnknown();
}

/** The error for a session that does not exist, or that belongs to another transport. */
export function sessionUnknown(): RunnerError {
  return new RunnerError("SESSION_UNKNOWN", "The session does not exist or has ended.", {
    fix: "Start one with POST /start; it waits 120 s for its caller.",
  });
}

function requirePending(session: HostSession | undefined): void {
  if (session === undefined || session.state === "pending") return;
  throw new RunnerError("SESSION_NOT_PENDING", "The caller of this session is already connected.", {
    fix: "Use POST /start: every session takes one caller.",
  });
}

/** The token in `Authorization: Bearer`. */
function bearerOf({ headers }: IncomingMessage): string | undefined {
  return /^bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
}

function keyRequired(fix: string): RunnerError {
  return new RunnerError("KEY_REQUIRED", "This server requires its API key.", { fix });
}

function originRefused(message: string): RunnerError {
  return new RunnerError("ORIGIN_REFUSED", message, {
    fix: "Add the origin to --allowed-origins; * allows all pages.",
  });
}

function tokenInvalid(message: string): RunnerError {
  return new RunnerError("TOKEN_INVALID", message, {
    fix: "Use POST /start to get a new URL: every URL opens one socket.",
  });
}

/**
 * Compares origins as text, ignoring case, with the list and with this server's own, which serves the web client. `*` allows every
 * origin. So does an empty list, unless the runner listens on a loopback address without a key: then only pages of this machine may
 * call, because any page in its user's browser reaches the server.
 */
function createOrigins(
  list: readonly string[],
  { host, publicUrl, trustProxy }: Pick<RunnerSettings, "host" | "publicUrl" | "trustProxy">,
  hasKey: boolean,
) {
  const listed = new Set(list.map((origin) => origin.toLowerCase()));
  const allowsLoopback = listed.size === 0 && !hasKey && isLoopback(host);
  const requiresOrigin = listed.size > 0 && !listed.has("*");
  const restricted = requiresOrigin || allowsLoopback;

  function isListed(origin: string | undefined, isOwn: boolean): boolean {
    return origin === undefined || isOwn || listed.has("*") || listed.has(origin.toLowerCase());
  }

  function notAllowed(origin: string | undefined): RunnerError {
    return originRefused(`Pages of ${origin?.slice(0, 100)} may not call this server.`);
  }

  function allows(origin: string | undefined, isOwn: boolean): boolean {
    if (!restricted || isListed(origin, isOwn)) return true;
    return allowsLoopback && isLoopback(URL.parse(origin ?? "")?.hostname ?? "");
  }

  return {
    restricted,
    /** Whether callers without an `Origin`, programs, are rejected too. */
    requiresOrigin,
    allows,
    require(origin: string | undefined, isOwn: boolean) {
      if (!allows(origin, isOwn)) throw notAllowed(origin);
    },
    /**
     * Browsers send no `Origin` with the pictures, frames and scripts of a page, but they say that another site requests them
     * (https://www.w3.org/TR/fetch-metadata/). Links to this server are allowed.
     */
    requireNotEmbedded({ headers }: IncomingMessage) {
      const isLink = headers["sec-fetch-dest"] === "document";
      if (restricted && headers.origin === undefined && headers["sec-fetch-site"] === "cross-site" && !isLink) {
        throw originRefused("Pages of other sites may not embed this server.");
      }
    },
    requireListed(origin: string | undefined, isOwn: boolean) {
      if (!isListed(origin, isOwn)) throw notAllowed(origin);
    },
    isOwn({ headers }: IncomingMessage): boolean {
      const url = URL.parse(headers.origin ?? "");
      if (!url || url.host === "") return false;
      const forwarded = trustProxy ? [headers["x-forwarded-host"]].flat()[0]?.split(",")[0]?.trim() : undefined;
      // Schemes are not compared: behind a proxy that terminates TLS, this server does not know its own.
      const host = URL.parse(`${url.protocol}//${forwarded ?? headers.host}`)?.host;
      return url.host === publicUrl?.host || url.host === host;
    },
  };
}

/**
 * Rejects requests with several `Host` headers, which proxies and servers may read differently, and prevents DNS rebinding: a page
 * of any site can let its own host name resolve to this machine or its network, and is then same-origin with servers there. A
 * server without a key therefore accepts only loopback names and the configured public one; on other addresses also IP addresses
 * and the machine's own name, and behind a trusted proxy all names. The first rejection is logged, because it may come from a
 * tunnel that is not configured.
 */
export function createHostCheck(
  { host, publicUrl, trustProxy }: Pick<RunnerSettings, "host" | "publicUrl" | "trustProxy">,
  hasKey: boolean,
  logger: Logger,
): (request: Pick<IncomingMessage, "headers" | "rawHeaders">) => void {
  const isLocal = isLoopback(host);
  const acceptsAll = hasKey || (trustProxy && !isLocal);
  const ownNames = [hostname(), `${hostname()}.local`].map((name) => name.toLowerCase());
  let warnedOnce = false;

  function isOwn(name: string): boolean {
    if (isLoopback(name) || name === publicUrl?.hostname) return true;
    return !isLocal && (ownNames.includes(name) || isIP(name.replace(/^\[|\]$/g, "")) > 0);
  }

  return ({ headers, rawHeaders }) => {
    if (rawHeaders.filter((text, index) => index % 2 === 0 && /^host$/i.test(text)).length > 1) {
      throw new RunnerError("REQUEST_INVALID", "The request has several Host headers.", { fix: "Send one." });
    }
    const name = URL.parse(`http://${headers.host}`)?.hostname ?? "";
    if (acceptsAll || isOwn(name)) return;
    const fix = "Use localhost or an IP address, or announce a tunnel or proxy with --public-url or --proxy.";
    if (!warnedOnce) logger.warn({ host: name, fix }, "request to an unknown host name rejected");
    warnedOnce = true;
    throw new RunnerError("HOST_REFUSED", "This server does not have this host name.", { fix });
  };
}

/**
 * Tokens `{sessionId}.{expiry}.{signature}` that open one socket of one session; the expiry is in s since 1970. Runners with the
 * same secret accept each other's tokens, for sessions of their own. Default: a random secret.
 */
export function createSocketTokens(secret: string | Buffer = randomBytes(32)) {
  const used = new WeakSet<Session>();

  function sign(text: string): string {
    return createHmac("sha256", secret).update(`pipecat-runner socket ${text}`).digest("base64url");
  }

  /** The parts of a token that this server has signed; `undefined` for other texts. */
  function read(token: string): { readonly id: string; readonly expiry: number } | undefined {
    const [, text = "", id = "", expiry, signature = ""] = /^(([^.]+)\.(\d{1,12}))\.([\w-]{43})$/.exec(token) ?? [];
    return safeEqual(signature, sign(text)) ? { id, expiry: Number(expiry) } : undefined;
  }

  return {
    create(session: Session): string {
      const text = `${session.id}.${Math.ceil((Date.now() + pendingMs) / 1000)}`;
      return `${text}.${sign(text)}`;
    },
    /** The session id of the token. Throws TOKEN_INVALID when it was changed, comes from another runner, or has expired. */
    check(token: string): string {
      const signed = read(token);
      if (!signed) throw tokenInvalid("The token is not one of this server.");
      if (signed.expiry * 1000 <= Date.now()) throw tokenInvalid("The token has expired.");
      return signed.id;
    },
    /** The session id of a token that this server has signed, also when it has expired. */
    idIn: (token: string): string | undefined => read(token)?.id,
    /** Throws TOKEN_INVALID when the session's token was used before. */
    requireUnused(session: Session): void {
      if (used.has(session)) throw tokenInvalid("The token was used before.");
    },
    use(session: Session): void {
      used.add(session);
    },
    restore(session: Session): void {
      used.delete(session);
    },
  };
}

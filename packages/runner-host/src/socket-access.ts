import { RunnerError, type Session, type SocketRequest, type SocketRoute } from "@pipecat-ts/runner-core";
import { type ApiKey, bearerOf, keyRequired } from "./api-key.ts";
import { type Origins, originRefused } from "./origins.ts";
import { invalid, type SocketTokens } from "./socket-tokens.ts";

/** Whether sockets are opened by token only. */
export type WebSocketAuth = "none" | "token";

/** A socket that may be opened, unless its route refuses it. */
export interface AdmittedSocket {
  /** The path's, where `sessionId` is an id and no token. */
  readonly params: SocketRequest["params"];
  /** Lets the token be used again, unless its session's caller is there: the socket was not opened, or broke. Twice is once. */
  giveBack(): void;
}

/**
 * Decides before the upgrade. Throws ORIGIN_REFUSED first, so that no foreign page uses up a token; then KEY_REQUIRED,
 * TOKEN_REQUIRED, TOKEN_INVALID, SESSION_UNKNOWN or DRAINING.
 */
export type AdmitSocket = (route: Pick<SocketRoute, "access" | "isProven">, request: SocketRequest) => AdmittedSocket;

export function createSocketAccess(options: {
  readonly auth: WebSocketAuth;
  readonly apiKey: ApiKey;
  readonly origins: Origins;
  readonly tokens: SocketTokens;
  /** The live session of this id. Throws SESSION_UNKNOWN or DRAINING. */
  findSession(id: string): Session;
}): AdmitSocket {
  const { auth, apiKey, origins, tokens, findSession } = options;

  function redeem(token: string, params: SocketRequest["params"]): AdmittedSocket {
    const sessionId = tokens.check(token);
    if (params.sessionId !== undefined && params.sessionId !== sessionId && params.sessionId !== token) {
      throw invalid("The socket's token belongs to another session.");
    }
    const session = findSession(sessionId);
    tokens.use(session);
    let isUsed = true;
    function giveBack(): void {
      if (isUsed && session.state === "pending") tokens.giveBack(session);
      isUsed = false;
    }
    return { params: { ...params, sessionId }, giveBack };
  }

  return ({ access, isProven }, socketRequest) => {
    const { params, url, request } = socketRequest;
    const free: AdmittedSocket = { params, giveBack: () => undefined };
    if (access === "open") return free;
    origins.refuseForeign(request);
    const { sessionId } = params;
    if (auth === "token" && sessionId?.includes(".")) return redeem(sessionId, params);
    const shown = bearerOf(request) ?? url.searchParams.get("token") ?? undefined;
    if (apiKey.matches(shown)) return free;
    if (auth === "token") {
      if (shown !== undefined) return redeem(shown, params);
      if (sessionId === undefined && isProven?.(socketRequest)) return free;
      throw new RunnerError("TOKEN_REQUIRED", "This server opens sockets by token only.", {
        fix: "Open the URL that POST /start answers, or send its token as Authorization: Bearer or ?token=.",
      });
    }
    if (access === "carrier") return free;
    if (origins.restricted && request.headers.origin === undefined) {
      throw originRefused("A socket that says no Origin needs a token or the API key here.");
    }
    // The id of a session is known to whoever started it, with the key, and to nobody else.
    if (apiKey.isSet && sessionId === undefined) throw keyRequired();
    return free;
  };
}

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { RunnerError, type Session } from "@pipecat-ts/runner-core";
import { pendingMs } from "./session.ts";

/** Signs and checks `{sessionId}.{expiry}.{signature}`: what opens one session's socket, once. Expiry in s since 1970. */
export interface SocketTokens {
  /** A token for this session, good for as long as it may wait for its caller. */
  create(session: Session): string;
  /** The id of the session that the token was made for. Throws TOKEN_INVALID: changed, of another runner, or expired. */
  check(token: string): string;
  /** Marks the session as reached. Throws TOKEN_INVALID when it was; forgotten with the session. */
  use(session: Session): void;
  /** Takes a mark back: the session was not reached after all. */
  giveBack(session: Session): void;
}

/** With one secret for several runners, each accepts the tokens of all, for sessions of its own. Default: a random one. */
export function createSocketTokens(secret: string | Buffer = randomBytes(32)): SocketTokens {
  const used = new WeakSet<Session>();

  function sign(text: string): Buffer {
    return createHmac("sha256", secret).update(`pipecat-runner socket ${text}`).digest();
  }

  return {
    create(session) {
      const text = `${session.id}.${Math.ceil((Date.now() + pendingMs) / 1000)}`;
      return `${text}.${sign(text).toString("base64url")}`;
    },
    check(token) {
      const [, text = "", id = "", expiry, signature = ""] = /^(([^.]+)\.(\d{1,12}))\.([\w-]{43})$/.exec(token) ?? [];
      const given = Buffer.from(signature, "base64url");
      const expected = sign(text);
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
        throw invalid("The socket's token was changed, or made by another server.");
      }
      if (Number(expiry) * 1000 <= Date.now()) throw invalid("The socket's token has expired.");
      return id;
    },
    use(session) {
      if (used.has(session)) throw invalid("The socket's token was used before.");
      used.add(session);
    },
    giveBack: (session) => void used.delete(session),
  };
}

export function invalid(message: string): RunnerError {
  return new RunnerError("TOKEN_INVALID", message, { fix: "Ask POST /start for a new URL: each opens one socket." });
}

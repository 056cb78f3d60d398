import type { Context } from "koa";
import type { Logger } from "./logger.ts";
import type { CloseReason } from "./transport.ts";

/** What a bot may use of its session. */
export interface BotSession {
  readonly id: string;
  /** Logs with the session's id on every line. */
  readonly logger: Logger;
  /** Has `release` called exactly once, with what ended the session; at once when it has ended already. */
  own(release: (reason: CloseReason) => unknown): void;
  /**
   * Answers the requests to `/sessions/{id}/{path}` that the transport does not answer itself. `ctx.params.path` is `path`;
   * where it is empty, GET and DELETE are the runner's own.
   */
  onRequest(handler: (ctx: Context) => unknown): void;
}

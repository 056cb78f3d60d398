import type { IncomingMessage } from "node:http";
import { type RouteContext, RunnerError } from "@pipecat-ts/runner-core";
import type { HostSession, SessionEngine } from "@pipecat-ts/runner-sessions";
import type { Middleware } from "koa";
import * as Type from "typebox";
import { chooseTransport, type InstalledTransport } from "./plugins.ts";
import type { HostRoute } from "./route.ts";

/** The headers of Pipecat Cloud. */
const sessionHeader = "x-daily-session-id";
const roomUrlHeader = "x-daily-room-url";
const roomTokenHeader = "x-daily-room-token";
const transportHeader = "x-daily-transport-type";
const envelopeHeader = "x-pcc-start-envelope";

/** Paths that the platform itself requests. All others belong to the session that the header names. */
const platformPaths: readonly string[] = ["/bot", "/livez", "/readyz"];

/**
 * The contract between Pipecat Cloud and the image of an agent. Source: `pipecat-base/app.py` and `local-test/mock_pipecat_cloud.py`
 * in https://github.com/daily-co/pipecat-cloud-images (commit cd45be5).
 *
 * | request of the platform | meaning |
 * |---|---|
 * | `POST /bot`, with `args.body` as JSON object | starts a session. The response, `{}`, follows when the session has ended |
 * | `x-daily-session-id` on every request | the session's id |
 * | `x-daily-room-url`, `x-daily-room-token` on `/bot` | the bot joins this room |
 * | `x-daily-transport-type` on `/bot` | without a room: the transport on which the caller will connect |
 * | `{path}` with `x-daily-session-id` | the caller's request to `/v1/public/{agent}/sessions/{id}/{path}` |
 * | `WS /ws`, with `x-daily-session-id` | a phone call, which had no `/bot` before |
 */
export interface Cloud {
  /** The id of the session that the platform's last request begins, once. */
  takeSessionId(): string | undefined;
  /** Passes the requests of callers to their session. */
  readonly middleware: Middleware;
  /** Remembers the session's id of a WebSocket. */
  upgrade(request: IncomingMessage): void;
  route(options: CloudRouteOptions): HostRoute;
}

export interface CloudRouteOptions {
  readonly transports: readonly InstalledTransport[];
  readonly restrictedTo: string | undefined;
  readonly engine: Pick<SessionEngine, "get">;
}

export function createCloud(): Cloud {
  /** There is one session at a time, so there is one next id. */
  let nextId: string | undefined;

  async function begin(ctx: RouteContext, options: CloudRouteOptions): Promise<HostSession | undefined> {
    nextId = headerOf(ctx.req, sessionHeader);
    try {
      return options.engine.get(await startSession(ctx, options));
    } finally {
      // When the session was rejected, the id must not go to the next one.
      nextId = undefined;
    }
  }

  return {
    takeSessionId() {
      const id = nextId;
      nextId = undefined;
      return id;
    },
    middleware(ctx, next) {
      const id = headerOf(ctx.req, sessionHeader);
      if (id !== undefined && !platformPaths.includes(ctx.path)) {
        ctx.url = `/sessions/${encodeURIComponent(id)}${ctx.url}`;
      }
      return next();
    },
    upgrade(request) {
      nextId = headerOf(request, sessionHeader);
    },
    route: (options) => ({
      method: "POST",
      path: "/bot",
      // The platform is not a page: pages of other origins must not start the bot of a developer who tries the image.
      access: "operator",
      summary: "Starts a session, and answers when it has ended (Pipecat Cloud)",
      bodyAs: "json",
      schema: Type.Object({}),
      async handle(ctx) {
        if (headerOf(ctx.req, envelopeHeader) !== undefined) {
          throw new RunnerError(
            "REQUEST_INVALID",
            "The session names a Pipecat Flows config, which this runner cannot run.",
            {
              fix: "Start the session without a flow.",
            },
          );
        }
        const session = await begin(ctx, options);
        if ((await session?.ended) === "abandoned") {
          throw new RunnerError("CALLER_MISSING", "No caller connected to the session within 120 s.", {
            fix: "Send the caller's offer soon after the start.",
          });
        }
        ctx.body = {};
      },
    }),
  };
}

/** Resolves with the session's id. */
async function startSession(ctx: RouteContext, options: CloudRouteOptions): Promise<string> {
  const { transports, restrictedTo } = options;
  const { body } = ctx.request;
  const url = headerOf(ctx.req, roomUrlHeader);
  const token = headerOf(ctx.req, roomTokenHeader);
  if (url !== undefined && token !== undefined) return roomTransport(transports)({ url, token, body }).id;
  const transport = headerOf(ctx.req, transportHeader);
  const start = { body, ...(transport !== undefined && { transport }) };
  const { sessionId } = await chooseTransport(start, transports, restrictedTo).start({ body: start, request: ctx.req });
  return sessionId;
}

function headerOf({ headers }: IncomingMessage, name: string): string | undefined {
  return [headers[name]].flat()[0] || undefined;
}

/** Throws TRANSPORT_UNAVAILABLE. */
function roomTransport(transports: readonly InstalledTransport[]) {
  for (const { open } of transports) {
    const joinRoom = open?.advanced?.joinRoom;
    if (joinRoom) return joinRoom;
  }
  throw new RunnerError(
    "TRANSPORT_UNAVAILABLE",
    "The session is in a room, and no installed transport joins rooms of the platform.",
    {
      fix: "Add the package of the rooms' transport to the image, or start the session with another transport.",
    },
  );
}

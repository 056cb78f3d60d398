import { type HttpRoute, type RouteContext, RunnerError } from "@pipecat-ts/runner-core";

/** `GET /daily`: opens a room with a bot in it, and leads the browser there. */
export function createRoomRoute(start: () => Promise<{ readonly roomUrl: string }>): HttpRoute {
  return {
    method: "GET",
    path: "/daily",
    access: "caller",
    async handle(ctx) {
      if (ctx.method === "HEAD") {
        // Whoever asks for heads looks whether something is there, and must not pay for it.
        ctx.set("Allow", "GET");
        ctx.status = 405;
        return;
      }
      refuseEmbedding(ctx);
      ctx.redirect((await start()).roomUrl);
    },
  };
}

/** Other sites may link here; a page of theirs that loads this as a picture would start a bot for everybody who sees it. */
function refuseEmbedding(ctx: RouteContext): void {
  if (ctx.get("sec-fetch-site") !== "cross-site" || ctx.get("sec-fetch-mode") === "navigate") return;
  throw new RunnerError("ORIGIN_REFUSED", "A page of another site asks for a room without leading anybody there.", {
    fix: "Link to this address.",
  });
}

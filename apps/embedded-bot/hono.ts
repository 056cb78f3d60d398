import { createServer } from "node:http";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import { Hono } from "hono";
import { createRunner } from "pipecat-runner";
import { bot } from "./bot.ts";

export async function start(port: number) {
  const runner = createRunner({ bot, plugins: [websocket], host: "localhost", port });
  await runner.open();

  const app = new Hono<{ Bindings: HttpBindings }>();
  app.get("/hello", (context) => context.text("Hello"));
  app.post("/echo", async (context) => context.json(await context.req.json()));
  app.all("*", (context) => {
    runner.handle(context.env.incoming, context.env.outgoing);
    return RESPONSE_ALREADY_SENT;
  });

  // Without clean-up, because the runner still reads the body when `app.fetch` returns.
  const listener = getRequestListener(app.fetch, { autoCleanupIncoming: false, overrideGlobalObjects: false });
  const server = createServer(listener).on("upgrade", runner.upgrade);
  server.listen(port, "localhost");
  return { runner, server };
}

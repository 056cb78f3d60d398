import websocket from "@pipecat-ts/runner-websocket/plugin";
import Fastify from "fastify";
import { createRunner } from "pipecat-runner";
import { bot } from "./bot.ts";

export async function start(port: number) {
  const runner = createRunner({ bot, plugins: [websocket], host: "localhost", port });
  await runner.open();

  const app = Fastify();
  app.get("/hello", async () => "Hello");
  app.post("/echo", async (request) => request.body);
  app.register(async (others) => {
    others.removeAllContentTypeParsers(); // the runner reads the bodies of its requests
    others.addContentTypeParser("*", (_request, _body, done) => done(null));
    others.all("/*", (request, reply) => {
      reply.hijack();
      runner.handle(request.raw, reply.raw);
    });
  });
  app.server.on("upgrade", runner.upgrade);
  await app.listen({ port, host: "localhost" });
  return { runner, server: app.server };
}

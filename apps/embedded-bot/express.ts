import { createServer } from "node:http";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import express from "express";
import { createRunner } from "pipecat-runner";
import { bot } from "./bot.ts";

export async function start(port: number) {
  const runner = createRunner({ bot, plugins: [websocket], host: "localhost", port });
  await runner.open();

  const app = express();
  app.get("/hello", (_, response) => void response.send("Hello"));
  app.post("/echo", express.json(), (request, response) => void response.json(request.body));
  app.use(runner.handle); // after your routes; a body parser for all routes would take the runner's bodies

  const server = createServer(app).on("upgrade", runner.upgrade);
  server.listen(port, "localhost");
  return { runner, server };
}

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { until } from "../../runner-testing/src/index.ts";
import { connectCaller, socketUrl } from "./caller.ts";
import { encodeMessage } from "./codec.ts";

const url = new URL("http://localhost:7860");
const start = (wsUrl: string) => ({ sessionId: "1", reply: { wsUrl } });

test.each([
  ["without a start request", { url }, "ws://localhost:7860/ws-client"],
  ["of a runner below a path", { url: new URL("http://h/pipecat") }, "ws://h/pipecat/ws-client"],
  ["of a runner with TLS", { url: new URL("https://bots.example.com") }, "wss://bots.example.com/ws-client"],
  ["that the reply names", { url, start: start("ws://127.0.0.1:7861/ws-client/1") }, "ws://127.0.0.1:7861/ws-client/1"],
  [
    "with the public URL is at the runner's address",
    {
      url,
      publicUrl: new URL("https://bots.example.com/voice"),
      start: start("wss://bots.example.com/voice/ws-client/1?token=x"),
    },
    "ws://localhost:7860/ws-client/1?token=x",
  ],
  [
    "with the public URL is below the path of the runner's address",
    {
      url: new URL("http://h/pipecat/"),
      publicUrl: new URL("https://bots.example.com/voice"),
      start: start("wss://bots.example.com/voice/ws-client/1"),
    },
    "ws://h/pipecat/ws-client/1",
  ],
])("the socket %s", (_, invitation, expected) => {
  expect(socketUrl(invitation).href).toBe(expected);
});

test("malformed messages are protocol errors of the call, which goes on", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    socket.send(Buffer.from([0xff]));
    socket.send("text");
    socket.send(encodeMessage({ hello: 1 }));
  });
  await once(server, "listening");
  const caller = await connectCaller(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await until("the last message arrives", () => caller.messages.length === 1, 5_000);
  expect(caller.messages).toEqual([{ hello: 1 }]);
  expect(caller.protocolErrors).toEqual(Array(2).fill(expect.stringMatching(/^malformed message: /)));
  await caller.hangUp();
  server.close();
});

test("a rejection whose body is cut off rejects the call with its status", async () => {
  const server = createServer().on("upgrade", (_, socket) => {
    socket.write("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 100\r\n\r\ncut", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await expect(connectCaller(url)).rejects.toMatchObject({ code: "CALL_REJECTED", status: 503 });
  server.close();
});

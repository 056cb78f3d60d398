import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Transport } from "@pipecat-ts/runner-core";
import { createRecordingLogger, tone, until, within } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { createWebSocketTransport } from "./index.ts";
import { connectCaller } from "./test/fake-caller.ts";

let server: WebSocketServer;
beforeEach(async () => {
  server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
});
afterEach(() => server.close());

test("carries a call over a socket that was accepted without a runner", { timeout: 30_000 }, async () => {
  const accepted = new Promise<Transport>((resolve) => {
    server.once("connection", (websocket) =>
      resolve(createWebSocketTransport({ websocket, logger: createRecordingLogger() })),
    );
  });
  const caller = await connectCaller(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const transport = await accepted;
  const heard: unknown[] = [];
  transport.on("appMessage", (message) => heard.push(message));

  caller.sendMessage("hello");
  await until("the message arrives", () => heard.length > 0, 10_000);
  await transport.sendMessage("good day");
  const writer = transport.output.getWriter();
  void writer.write(tone(440, { durationMs: 80, sampleRate: 24_000 }));
  await transport.close();
  expect(await within("the socket closes", caller.closed, 10_000)).toBe("1000 bot-finished");
  expect(heard).toEqual(["hello"]);
  expect(caller.speaker.takenMs).toBe(80);
  expect(caller.messages).toEqual(["good day"]);
});

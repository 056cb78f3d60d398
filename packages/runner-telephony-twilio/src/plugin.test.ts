import { once } from "node:events";
import { connectOf, type SessionArguments } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { createRecordingLogger } from "@pipecat-ts/runner-testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import plugin from "./plugin.ts";

let runner: Runner;
let bots: SessionArguments[];
beforeEach(async () => {
  bots = [];
  runner = createRunner({
    async bot(args) {
      bots.push(args);
      await (await connectOf(args)({})).closed;
    },
    plugins: [plugin],
    pluginOptions: { twilio: { authToken: "a token" } },
    publicUrl: "https://bots.example.com",
    host: "127.0.0.1",
    port: 0,
    env: {},
    logger: createRecordingLogger(),
  });
  await runner.listen();
});
afterEach(async () => await runner.close());

test("a page that acts as a phone needs two ids and the URL of a start request, and no signature", async () => {
  const started = await fetch(new URL("/start", runner.url), {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify({ transport: "twilio", body: { language: "fr" } }),
  });
  const reply = (await started.json()) as Readonly<Record<string, string>>;
  expect(Object.keys(reply)).toEqual(["wsUrl"]);
  const url = new URL(reply.wsUrl ?? "");
  expect(url.origin).toBe("wss://bots.example.com");

  // The global WebSocket, as the page has it.
  const socket = new WebSocket(`ws://${runner.url.host}${url.pathname}`);
  await once(socket, "open");
  socket.send(JSON.stringify({ event: "connected", protocol: "Call", version: "1.0.0" }));
  socket.send(
    JSON.stringify({ event: "start", start: { streamSid: "ws_mock_stream_sid", callSid: "ws_mock_call_sid" } }),
  );
  await expect.poll(() => bots.length).toBe(1);
  expect(bots[0]).toMatchObject({
    transport: "twilio",
    body: { language: "fr" },
    callData: { streamId: "ws_mock_stream_sid", callId: "ws_mock_call_sid" },
  });
  const closed = once(socket, "close");
  socket.close();
  await closed;
});

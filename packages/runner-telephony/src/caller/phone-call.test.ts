import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { until } from "../../../runner-testing/src/index.ts";
import { openCall } from "./phone-call.ts";

test("malformed messages are protocol errors of the call, which goes on", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", (socket) => {
    for (const text of ["{", "null", '{"digits":"5"}']) socket.send(text);
  });
  await once(server, "listening");
  const farEnd = {
    ...{ sampleRate: 8_000, frameMs: 20, announce: () => [] },
    ...{ audio: () => ({}), digit: () => ({}), played: () => ({}) },
    parse: ({ digits }: Readonly<Record<string, unknown>>) => ({ digits: String(digits) }),
  };
  const facts = { callId: "1", streamId: "1", from: "", to: "", document: "" };
  const url = new URL(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const phone = await openCall(farEnd, facts, url, {});
  await until("the last message arrives", () => phone.dialed.length === 1, 5_000);
  expect(phone.dialed).toEqual(["5"]);
  expect(phone.protocolErrors).toEqual(Array(2).fill(expect.stringMatching(/^malformed message: /)));
  await phone.hangUp();
  server.close();
});

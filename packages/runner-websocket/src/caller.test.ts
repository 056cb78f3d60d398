import { expect, test } from "vitest";
import { socketUrl } from "./caller.ts";

const url = new URL("http://localhost:7860");
const start = (wsUrl: string) => ({ sessionId: "1", reply: { wsUrl } });

test.each([
  ["without a start request", { url }, "ws://localhost:7860/ws-client"],
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
])("the socket %s", (_, invitation, expected) => {
  expect(socketUrl(invitation).href).toBe(expected);
});

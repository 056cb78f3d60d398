import { expect, test } from "vitest";
import { websocketConsole } from "./websocket.ts";

test("connects with the URL and the token of the runner's answer, and with nothing that the client would refuse", () => {
  const wsUrl = "ws://localhost:7860/ws-client/abc";
  expect(websocketConsole.connectParams({ wsUrl, sessionId: "abc", token: null })).toEqual({ wsUrl });
  expect(websocketConsole.connectParams({ wsUrl, token: "secret" })).toEqual({ wsUrl, token: "secret" });
});

test.each([[null], [{}], ["ws://localhost"], [{ wsUrl: 7 }]])("says that %j has no address", (reply) => {
  expect(() => websocketConsole.connectParams(reply)).toThrow("no wsUrl");
});

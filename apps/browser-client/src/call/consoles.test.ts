import { beforeAll, expect, test, vi } from "vitest";
import { webrtcConsole, websocketConsole } from "./consoles.ts";

beforeAll(() => {
  vi.stubGlobal("location", { href: "https://example.com/starter/client/" });
  vi.stubGlobal("sessionStorage", { getItem: () => "my-key" });
});

test("WebRTC sends the offer to the session's URL, with the API key", () => {
  const iceConfig = { iceServers: [{ urls: "stun:stun.example.com" }] };
  const webrtcRequestParams = {
    endpoint: "https://example.com/starter/sessions/abc/api/offer",
    headers: new Headers({ Authorization: "Bearer my-key" }),
  };
  expect(webrtcConsole.connectParams({ sessionId: "abc", iceConfig })).toEqual({
    sessionId: "abc",
    webrtcRequestParams,
    iceConfig,
  });
  expect(webrtcConsole.connectParams({ sessionId: "abc", iceConfig: null })).toEqual({
    sessionId: "abc",
    webrtcRequestParams,
  });
});

test.each([[null], [{}], [{ sessionId: 7 }]])("WebRTC rejects the answer %j without a session", (reply) => {
  expect(() => webrtcConsole.connectParams(reply)).toThrow("no sessionId");
});

test("WebSocket connects with the URL and the token, and omits fields that the client rejects", () => {
  const wsUrl = "ws://localhost:7860/ws-client/abc";
  expect(websocketConsole.connectParams({ wsUrl, sessionId: "abc", token: null })).toEqual({ wsUrl });
  expect(websocketConsole.connectParams({ wsUrl, token: "secret" })).toEqual({ wsUrl, token: "secret" });
});

test.each([[null], [{}], ["ws://localhost"], [{ wsUrl: 7 }]])(
  "WebSocket rejects the answer %j without a URL",
  (reply) => {
    expect(() => websocketConsole.connectParams(reply)).toThrow("no wsUrl");
  },
);

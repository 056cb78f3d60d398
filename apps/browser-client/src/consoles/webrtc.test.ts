import { beforeAll, expect, test, vi } from "vitest";
import { webrtcConsole } from "./webrtc.ts";

beforeAll(() => {
  vi.stubGlobal("location", { href: "https://example.com/starter/client/" });
});

test("sends the offer to the session's own address, wherever the page is served", () => {
  const iceConfig = { iceServers: [{ urls: "stun:stun.example.com" }] };
  const webrtcRequestParams = { endpoint: "https://example.com/starter/sessions/abc/api/offer" };
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

test.each([[null], [{}], [{ sessionId: 7 }]])("says that %j has no session", (reply) => {
  expect(() => webrtcConsole.connectParams(reply)).toThrow("no sessionId");
});

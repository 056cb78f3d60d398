import { beforeAll, expect, test, vi } from "vitest";
import { webrtcConsole } from "./webrtc.ts";

beforeAll(() => {
  vi.stubGlobal("location", { href: "https://example.com/starter/client/" });
  vi.stubGlobal("sessionStorage", { getItem: () => "my-key" });
});

test("sends the offer to the session's own address, wherever the page is served, with the key", () => {
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

test.each([[null], [{}], [{ sessionId: 7 }]])("says that %j has no session", (reply) => {
  expect(() => webrtcConsole.connectParams(reply)).toThrow("no sessionId");
});

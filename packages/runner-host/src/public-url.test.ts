import type { IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { createSettings } from "./options.ts";
import { boundUrl, createPublicUrls } from "./public-url.ts";

const bound = () => new URL("http://localhost:7860");

function request(headers: Record<string, string>, encrypted = false): IncomingMessage {
  return { headers, socket: { encrypted } } as unknown as IncomingMessage;
}

function resolve(settings: Parameters<typeof createSettings>[0], headers?: Record<string, string>, path = "/ws") {
  return createPublicUrls(createSettings(settings).settings, bound)(path, headers && request(headers)).href;
}

test("the configured public URL overrides all headers", () => {
  const headers = { host: "evil.example", "x-forwarded-host": "evil.example" };
  const settings = { publicUrl: "https://bots.example.com/voice/", trustProxy: true };
  expect(resolve(settings, headers)).toBe("https://bots.example.com/voice/ws");
  expect(resolve(settings, headers, "/ws/1?token=a")).toBe("https://bots.example.com/voice/ws/1?token=a");
  expect(resolve({ publicUrl: "http://10.0.0.7:7860" }, headers)).toBe("http://10.0.0.7:7860/ws");
});

test("forwarded headers are used only with trustProxy", () => {
  const headers = { host: "127.0.0.1:7860", "x-forwarded-host": "my.ngrok.io", "x-forwarded-proto": "https" };
  expect(resolve({}, headers)).toBe("http://127.0.0.1:7860/ws");
  expect(resolve({ trustProxy: true }, headers)).toBe("https://my.ngrok.io/ws");
});

test("a proxy may keep Host and forward only the scheme, and the first value of a chain of proxies is used", () => {
  const settings = { trustProxy: true };
  expect(resolve(settings, { host: "bots.example.com", "x-forwarded-proto": "https" })).toBe(
    "https://bots.example.com/ws",
  );
  const chain = { host: "inner", "x-forwarded-host": "outer.example, inner", "x-forwarded-proto": "HTTPS, http" };
  expect(resolve(settings, chain)).toBe("https://outer.example/ws");
  expect(resolve(settings, { host: "bots.example.com", "x-forwarded-proto": "javascript" })).toBe(
    "http://bots.example.com/ws",
  );
});

test.each([
  ["bots.example.com", "http://bots.example.com/ws"],
  ["LOCALHOST:7860", "http://localhost:7860/ws"],
  ["192.168.1.9:7860", "http://192.168.1.9:7860/ws"],
  ["[::1]:7860", "http://[::1]:7860/ws"],
  ["my_service:7860", "http://my_service:7860/ws"],
])("Host: %s is used", (host, url) => {
  expect(resolve({}, { host })).toBe(url);
});

test.each([
  "0.0.0.0:7860",
  "[::]:7860",
  "0:7860",
  "0x0",
  "[::ffff:0.0.0.0]",
  "a b",
  "evil.example/path",
  "user@evil.example",
  "evil.example#",
  "evil.example?x=",
  "a\\b",
  "host:99999",
  "host:port",
  "[::1",
  "",
  "<script>",
])("Host: %j is not used; the bound address replaces it", (host) => {
  expect(resolve({}, { host })).toBe("http://localhost:7860/ws");
});

test("without a request, the bound address is used", () => {
  expect(resolve({})).toBe("http://localhost:7860/ws");
});

test("a path cannot change the host", () => {
  expect(resolve({}, { host: "a.example" }, "//evil.example/x")).toBe("http://a.example/evil.example/x");
  expect(resolve({}, { host: "a.example" }, "@evil.example")).toBe("http://a.example/@evil.example");
});

test("over TLS, the scheme is https", () => {
  const url = createPublicUrls(createSettings({}).settings, bound);
  expect(url("/", request({ host: "a.example" }, true)).href).toBe("https://a.example/");
});

describe("the bound address for a browser on this machine", () => {
  test.each([
    ["localhost", "http://localhost:7860/"],
    ["0.0.0.0", "http://localhost:7860/"],
    ["::", "http://localhost:7860/"],
    ["[::]", "http://localhost:7860/"],
    ["::1", "http://[::1]:7860/"],
    ["192.168.1.9", "http://192.168.1.9:7860/"],
  ])("%s", (host, url) => {
    expect(boundUrl(host, 7860).href).toBe(url);
  });
});

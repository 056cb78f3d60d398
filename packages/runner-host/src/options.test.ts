import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createSettings, parsePublicUrl, runnerFlags, runnerOptionsFrom } from "./runner-settings.ts";

function fromFlags(given: Record<string, unknown>, env: Record<string, string> = {}) {
  return createSettings(runnerOptionsFrom(resolveOptions(runnerFlags, { given, env })));
}

test("the defaults", () => {
  const defaults = {
    host: "localhost",
    port: 7860,
    transport: undefined,
    publicUrl: undefined,
    trustProxy: false,
    callersMustProve: false,
    maxSessions: Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: 1_800_000,
    cliArgs: {},
  };
  expect(createSettings({})).toEqual(defaults);
  expect(fromFlags({})).toEqual(defaults);
});

test("flags count more than environment variables; seconds become milliseconds", () => {
  const env = {
    PIPECAT_RUNNER_HOST: "0.0.0.0",
    PIPECAT_RUNNER_PORT: "8080",
    PIPECAT_RUNNER_TRANSPORT: "pigeon",
    PIPECAT_RUNNER_PUBLIC_URL: "https://bots.example.com",
    PIPECAT_RUNNER_TRUST_PROXY: "yes",
    PIPECAT_RUNNER_MAX_SESSIONS: "50",
    PIPECAT_RUNNER_SHUTDOWN_TIMEOUT: "30",
  };
  expect(fromFlags({ port: "0" }, env)).toMatchObject({
    host: "0.0.0.0",
    port: 0,
    transport: "pigeon",
    publicUrl: new URL("https://bots.example.com"),
    trustProxy: true,
    maxSessions: 50,
    shutdownTimeoutMs: 30_000,
  });
});

test.each([
  [{}, false],
  [{ apiKey: "a-key-of-16-chars" }, true],
  [{ webSocketAuth: "token" }, true],
  [{ webSocketAuth: "none" }, false],
])("transports are told whether callers must prove themselves: %j", (given, callersMustProve) => {
  expect(fromFlags(given)).toMatchObject({ callersMustProve });
});

test("a runner made in code reads no environment variable", () => {
  process.env.PIPECAT_RUNNER_PORT = "1234";
  expect(createSettings({}).port).toBe(7860);
  delete process.env.PIPECAT_RUNNER_PORT;
});

test.each([
  ["my.ngrok.io", "https://my.ngrok.io/"],
  ["https://my.ngrok.io///", "https://my.ngrok.io/"],
  ["http://10.0.0.7:7860", "http://10.0.0.7:7860/"],
  ["https://bots.example.com/voice/", "https://bots.example.com/voice"],
  ["localhost:3000", "https://localhost:3000/"],
])("--public-url %s is %s", (text, url) => {
  expect(parsePublicUrl(text).href).toBe(url);
});

test.each([
  ["my.ngrok.io", "https://my.ngrok.io/"],
  ["http://my.ngrok.io/", "https://my.ngrok.io/"],
  ["wss://my.ngrok.io", "https://my.ngrok.io/"],
])("--proxy %s is %s: a tunnel always speaks TLS", (proxy, url) => {
  expect(fromFlags({ proxy }).publicUrl?.href).toBe(url);
});

test.each(["0.0.0.0:7860", "https://[::]", "ftp://x", "https://me:hunter2@x", "https://x/?a=1", "https://x/#a", "a b"])(
  "--public-url %s is refused, and not repeated",
  (text) => {
    expect(() => parsePublicUrl(text)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.not.stringContaining("hunter2") }),
    );
  },
);

test.each([
  { port: 65_536 },
  { port: 80.5 },
  { port: -1 },
  { host: "" },
  { maxSessions: 0 },
  { shutdownTimeoutMs: -1 },
  { shutdownTimeoutMs: 3_000_000_000 },
  { trustProxy: "maybe" as never },
])("%j is refused", (options) => {
  expect(() => createSettings(options)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("settings given in code are kept as they are", () => {
  const settings = createSettings({
    maxSessions: Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: 1_500,
    cliArgs: { a: 1 },
  });
  expect(settings).toMatchObject({
    maxSessions: Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: 1_500,
    cliArgs: { a: 1 },
  });
  expect(Object.isFrozen(settings.cliArgs)).toBe(true);
});

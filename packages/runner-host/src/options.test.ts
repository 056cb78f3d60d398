import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { createSettings, resolveRunnerFlags, runnerFlags, runnerOptionsFrom } from "./options.ts";
import { parsePublicUrl } from "./public-url.ts";

function fromFlags(given: Record<string, unknown>, env: Record<string, string> = {}) {
  return createSettings(runnerOptionsFrom(resolveOptions(runnerFlags, { given, env }))).settings;
}

test("defaults", () => {
  const defaults = {
    host: "localhost",
    port: 7860,
    transport: undefined,
    publicUrl: undefined,
    trustProxy: false,
    requireAuth: false,
    requireKey: false,
    maxSessions: 40,
    maxCallDurationMs: Number.POSITIVE_INFINITY,
    shutdownTimeoutMs: 1_800_000,
    cliArgs: {},
  };
  expect(createSettings({}).settings).toEqual(defaults);
  expect(fromFlags({})).toEqual(defaults);
});

test("flags override environment variables, and seconds become milliseconds", () => {
  const env = {
    PIPECAT_RUNNER_HOST: "0.0.0.0",
    PIPECAT_RUNNER_PORT: "8080",
    PIPECAT_RUNNER_TRANSPORT: "fake",
    PIPECAT_RUNNER_PUBLIC_URL: "https://bots.example.com",
    PIPECAT_RUNNER_TRUST_PROXY: "yes",
    PIPECAT_RUNNER_MAX_SESSIONS: "50",
    PIPECAT_RUNNER_MAX_CALL_DURATION: "90",
    PIPECAT_RUNNER_SHUTDOWN_TIMEOUT: "30",
  };
  expect(fromFlags({ port: "0" }, env)).toMatchObject({
    host: "0.0.0.0",
    port: 0,
    transport: "fake",
    publicUrl: new URL("https://bots.example.com"),
    trustProxy: true,
    maxSessions: 50,
    maxCallDurationMs: 90_000,
    shutdownTimeoutMs: 30_000,
  });
});

test("the flag --proxy wins over the variable of --public-url, but not over the flag", () => {
  const env = { PIPECAT_RUNNER_PUBLIC_URL: "https://bots.example.com" };
  const urlOf = (given: object) => runnerOptionsFrom(resolveRunnerFlags({ given: { ...given }, env })).publicUrl;
  expect(urlOf({ proxy: "my.ngrok.io" })).toBe("https://my.ngrok.io");
  expect(urlOf({ proxy: "my.ngrok.io", publicUrl: "https://other.example" })).toBe("https://other.example");
  expect(urlOf({})).toBe("https://bots.example.com");
});

test("--folder is the former name of --downloads-folder", () => {
  const folderOf = (given: object) =>
    runnerOptionsFrom(resolveOptions(runnerFlags, { given: { ...given }, env: {} })).downloadsFolder;
  expect(folderOf({ folder: "old" })).toBe("old");
  expect(folderOf({ folder: "old", downloadsFolder: "new" })).toBe("new");
  expect(folderOf({})).toBeUndefined();
});

test.each([
  [{}, false],
  [{ apiKey: "a-key-of-16-chars" }, true],
  [{ webSocketAuth: "token" }, true],
  [{ webSocketAuth: "none" }, false],
])("settings.requireAuth tells transports whether callers need a key or token: %j", (given, requireAuth) => {
  expect(fromFlags(given)).toMatchObject({ requireAuth });
});

test("a runner created in code does not read environment variables", () => {
  process.env.PIPECAT_RUNNER_PORT = "1234";
  expect(createSettings({}).settings.port).toBe(7860);
  delete process.env.PIPECAT_RUNNER_PORT;
});

test.each([
  ["my.ngrok.io", "https://my.ngrok.io/"],
  ["https://my.ngrok.io///", "https://my.ngrok.io/"],
  ["http://10.0.0.7:7860", "http://10.0.0.7:7860/"],
  ["https://bots.example.com/voice/", "https://bots.example.com/voice"],
  ["localhost:3000", "https://localhost:3000/"],
])("--public-url %s means %s", (text, url) => {
  expect(parsePublicUrl(text).href).toBe(url);
});

test.each([
  ["my.ngrok.io", "https://my.ngrok.io/"],
  ["http://my.ngrok.io/", "https://my.ngrok.io/"],
  ["wss://my.ngrok.io", "https://my.ngrok.io/"],
])("--proxy %s means %s, because tunnels use TLS", (proxy, url) => {
  expect(fromFlags({ proxy }).publicUrl?.href).toBe(url);
});

test.each(["0.0.0.0:7860", "https://[::]", "ftp://x", "https://me:hunter2@x", "https://x/?a=1", "https://x/#a", "a b"])(
  "--public-url %s is rejected, and the error does not repeat it",
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
  { maxSessions: -1 },
  { maxSessions: Number.NaN },
  { maxSessions: "5" as never },
  { maxCallDurationMs: "5000" as never },
  { shutdownTimeoutMs: Number.NaN },
  { shutdownTimeoutMs: Number.POSITIVE_INFINITY },
  { trustProxy: "yes" as never },
  { allowedOrigins: "https://a.example" as never },
  { publicUrl: 7 as never },
  { maxCallDurationMs: 0 },
  { maxCallDurationMs: 3_000_000_000 },
  { shutdownTimeoutMs: -1 },
  { shutdownTimeoutMs: 3_000_000_000 },
  { trustProxy: "maybe" as never },
])("%j is rejected", (options) => {
  expect(() => createSettings(options)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

test("errors name options of createRunner as code does", () => {
  expect(() => createSettings({ maxCallDurationMs: 5 })).toThrow(
    expect.objectContaining({
      message: "maxCallDurationMs cannot be 5.",
      fix: "Use a number of ms from 1000 to 604800000, or Infinity.",
    }),
  );
});

test("an unknown option is rejected, with the most similar one", () => {
  expect(() => createSettings({ maxSession: 5 } as never)).toThrow(
    expect.objectContaining({ code: "OPTION_INVALID", fix: 'Did you mean "maxSessions"?' }),
  );
});

test("--max-sessions 0 is without a limit", () => {
  expect(fromFlags({ maxSessions: "0" }).maxSessions).toBe(Number.POSITIVE_INFINITY);
});

test("settings in code are kept unchanged", () => {
  const { settings } = createSettings({
    maxSessions: Number.POSITIVE_INFINITY,
    maxCallDurationMs: 1_500,
    shutdownTimeoutMs: 1_500,
    cliArgs: { a: 1 },
  });
  expect(settings).toMatchObject({
    maxSessions: Number.POSITIVE_INFINITY,
    maxCallDurationMs: 1_500,
    shutdownTimeoutMs: 1_500,
    cliArgs: { a: 1 },
  });
  expect(Object.isFrozen(settings.cliArgs)).toBe(true);
});

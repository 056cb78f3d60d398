import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { configureDaily } from "./rooms.ts";
import { apiKey, type DailyApi, openDailyApi, readToken } from "./test/daily-api.ts";

let api: DailyApi;
beforeEach(async () => {
  api = await openDailyApi();
  for (const name of ["DAILY_API_KEY", "DAILY_API_URL", "DAILY_ROOM_URL", "DAILY_SAMPLE_ROOM_URL"])
    vi.stubEnv(name, "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await api[Symbol.asyncDispose]();
});

const account = () => ({ apiKey, apiUrl: api.url });

test("creates a room and two tokens, valid for two hours", async () => {
  const made = await configureDaily({
    ...account(),
    roomProperties: { geo: "eu-central-1" },
    tokenProperties: { user_name: "Tea" },
  });
  const [room] = [...api.rooms.values()];
  const exp = Number(room?.config.exp);
  expect(Math.abs(exp - Date.now() / 1000 - 7_200)).toBeLessThan(5);
  expect(made).toEqual({ roomUrl: room?.url, token: expect.any(String), callerToken: expect.any(String) });
  expect(readToken(made.token)).toMatchObject({ is_owner: true, exp, user_name: "Tea" });
  expect(readToken(made.callerToken)).toMatchObject({ is_owner: false, exp, user_name: "Tea" });
  expect(room?.config).toMatchObject({ geo: "eu-central-1", eject_at_room_exp: true });
});

test("returns the SIP address of a room for phone calls, with one sip: prefix", async () => {
  const { sipUri } = await configureDaily({
    ...account(),
    lifetimeMs: 60_000,
    roomProperties: { sip: { video: true } },
  });
  const [room] = [...api.rooms.values()];
  expect(sipUri).toBe(`sip:${room?.name}.0@test.sip-us.daily.co`);
  expect(room?.config).toMatchObject({ start_video_off: false });
  api.failNext("POST /rooms", {
    status: 200,
    body: { name: "x", url: "https://test.daily.co/x", config: { sip_uri: { endpoint: "sip:x.0@test" } } },
  });
  expect((await configureDaily({ ...account(), roomProperties: { sip: {} } })).sipUri).toBe("sip:x.0@test");
});

test("reads the environment", async () => {
  vi.stubEnv("DAILY_API_KEY", apiKey);
  vi.stubEnv("DAILY_API_URL", api.url);
  vi.stubEnv("DAILY_SAMPLE_ROOM_URL", "https://test.daily.co/older");
  expect((await configureDaily()).roomUrl).toBe("https://test.daily.co/older");
  vi.stubEnv("DAILY_ROOM_URL", "https://test.daily.co/newer");
  expect((await configureDaily()).roomUrl).toBe("https://test.daily.co/newer");
  expect((await configureDaily({ roomUrl: "https://test.daily.co/given" })).roomUrl).toBe(
    "https://test.daily.co/given",
  );
  expect(api.rooms.size).toBe(0);
});

test("validates its options before it sends a request", async () => {
  await expect(configureDaily()).rejects.toMatchObject({ code: "DAILY_API_KEY_MISSING" });
  await expect(configureDaily({ ...account(), roomUrl: "not a url" })).rejects.toMatchObject({
    code: "OPTION_INVALID",
  });
  await expect(configureDaily({ ...account(), roomProperties: { exp: "x" } })).rejects.toThrow('"roomProperties.exp"');
  await expect(configureDaily({ ...account(), tokenProperties: { exp: "x" } })).rejects.toThrow(
    '"tokenProperties.exp"',
  );
  expect(api.requests).toEqual([]);
});

test("needs nothing but the network", () => {
  const modules = new Set<string>();
  function collect(file: string): void {
    if (modules.has(file)) return;
    modules.add(file);
    if (!file.startsWith("./")) return;
    const source = readFileSync(join(import.meta.dirname, file), "utf8");
    for (const [, name] of source.matchAll(/^(?:import|export) (?!type ).*?from "(.+?)";$/gms)) collect(String(name));
  }
  collect("./rooms.ts");
  expect([...modules].filter((name) => !name.startsWith("node:")).sort()).toEqual([
    "./api.ts",
    "./options.ts",
    "./properties.ts",
    "./rooms.ts",
    "@pipecat-ts/runner-core",
    "typebox",
    "typebox/value",
  ]);
});

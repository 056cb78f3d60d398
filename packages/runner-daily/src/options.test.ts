import { resolveOptions } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { dailyOptions } from "./options.ts";

const resolve = (env: Readonly<Record<string, string>>) => resolveOptions(dailyOptions, { env });

test("every option has an environment variable", () => {
  const env = {
    DAILY_API_KEY: "a key",
    DAILY_API_URL: "http://127.0.0.1:1",
    DAILY_ROOM_URL: "https://you.daily.co/room",
    DAILY_OWNER_TOKEN: "yes",
    DAILY_DELETE_ROOMS: "yes",
    DAILY_DIALIN: "no",
    DAILY_PINLESS_HMAC_SECRET: "YSBzZWNyZXQ=",
    DAILY_DIALIN_WITHOUT_BROWSER: "yes",
    PIPECAT_CHROMIUM: "/opt/chromium",
    DAILY_BUNDLE_URL: "http://127.0.0.1:2",
    DAILY_JOIN_TIMEOUT: "10",
    DAILY_EMPTY_ROOM_TIMEOUT: "0",
  };
  expect(resolve(env)).toEqual({
    apiKey: "a key",
    apiUrl: "http://127.0.0.1:1",
    roomUrl: "https://you.daily.co/room",
    ownerToken: true,
    deleteRooms: true,
    dialin: false,
    pinlessHmacSecret: "YSBzZWNyZXQ=",
    verifySignatures: true,
    dialinWithoutBrowser: true,
    chromium: "/opt/chromium",
    bundleUrl: "http://127.0.0.1:2",
    joinTimeout: 10,
    emptyRoomTimeout: 0,
  });
});

test("older variable names apply when the current ones are not set", () => {
  const older = { DAILY_SAMPLE_ROOM_URL: "https://you.daily.co/sample", PINLESS_HMAC_SECRET: "b2xkZXI=" };
  expect(resolve(older)).toMatchObject({ roomUrl: "https://you.daily.co/sample", pinlessHmacSecret: "b2xkZXI=" });
  const current = { DAILY_ROOM_URL: "https://you.daily.co/room", DAILY_PINLESS_HMAC_SECRET: "Y3VycmVudA==" };
  expect(resolve({ ...older, ...current })).toMatchObject({
    roomUrl: "https://you.daily.co/room",
    pinlessHmacSecret: "Y3VycmVudA==",
  });
});

test.each([
  ["DAILY_API_URL", "https://api.example.com:99999/v1"],
  ["DAILY_BUNDLE_URL", "https://[::1"],
  ["DAILY_ROOM_URL", "https://you.daily.co:99999/room"],
])("%s=%s is rejected", (name, url) => {
  expect(() => resolve({ [name]: url })).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
});

import { describe, expect, test } from "vitest";
import { requireRoomProperties, requireTokenProperties } from "./properties.ts";

describe("room properties", () => {
  test("accept known and unknown properties, and round fractions of seconds down", () => {
    const given = {
      exp: 1_800_000_000.75,
      nbf: 1.5,
      sip: null,
      geo: null,
      enable_recording: "cloud",
      permissions: { hasPresence: true },
      a_property_of_next_year: [1, { deep: true }],
    };
    expect(requireRoomProperties(given, "dailyRoomProperties")).toEqual({ ...given, exp: 1_800_000_000, nbf: 1 });
    expect(requireRoomProperties(undefined, "x")).toEqual({});
    expect(requireRoomProperties(null, "x")).toEqual({});
  });

  test.each([
    ["dailyRoomProperties.exp", { exp: "tomorrow" }],
    ["dailyRoomProperties.exp", { exp: -1 }],
    ["dailyRoomProperties.max_participants", { max_participants: 2.5 }],
    ["dailyRoomProperties.enable_chat", { enable_chat: "yes" }],
    ["dailyRoomProperties.sip", { sip: "please" }],
    ["dailyRoomProperties", []],
    ["dailyRoomProperties", "none"],
    ["dailyRoomProperties", 7],
  ])("reject an invalid %s by name", (name, value) => {
    expect(() => requireRoomProperties(value, "dailyRoomProperties")).toThrow(
      expect.objectContaining({
        code: "DAILY_PROPERTY_INVALID",
        status: 400,
        message: expect.stringMatching(new RegExp(`^"${name}[".]`)),
      }),
    );
  });
});

test.each([
  ["tokens.user_id", { user_id: "x".repeat(37) }],
  ["tokens.eject_after_elapsed", { eject_after_elapsed: "10" }],
  ["tokens.permissions", { permissions: [] }],
])("token properties reject an invalid %s by name", (name, value) => {
  expect(() => requireTokenProperties(value, "tokens")).toThrow(
    expect.objectContaining({ message: expect.stringContaining(`"${name}"`) }),
  );
});

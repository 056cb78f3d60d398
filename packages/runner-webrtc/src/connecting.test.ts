import { expect, test } from "vitest";
import { connectingLimits, createConnectingCallers } from "./connecting.ts";

const error = (message: RegExp) =>
  expect.objectContaining({ code: "AT_CAPACITY", status: 503, message: expect.stringMatching(message) });

test("callers that are connecting are limited for each client and in total, until they leave", () => {
  const callers = createConnectingCallers(4);
  const leave = Array.from({ length: 8 }, () => callers.enter("192.0.2.1"));
  expect(() => callers.enter("192.0.2.1")).toThrow(error(/^8 callers of this address/));
  for (let count = 0; count < 8; count++) callers.enter("192.0.2.2");
  expect(() => callers.enter("192.0.2.3")).toThrow(error(/^16 callers are/));
  // Leaving twice frees one place.
  leave[0]?.();
  leave[0]?.();
  callers.enter("192.0.2.3");
  expect(() => callers.enter("192.0.2.3")).toThrow(error(/^16 callers are/));
});

test.each([
  [40, { total: 30, perClient: 20 }],
  [1, { total: 16, perClient: 8 }],
  [1_000, { total: 750, perClient: 500 }],
  [Number.POSITIVE_INFINITY, { total: 1_000, perClient: 250 }],
])("with %d sessions, the limits are %o", (maxSessions, limits) => {
  expect(connectingLimits(maxSessions)).toEqual(limits);
});

import { expect, test } from "vitest";
import { isLoopback, isReachedByOthers } from "./reach.ts";

test.each(["localhost", "LOCALHOST.", "bots.localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])(
  "%s is this machine, to itself alone",
  (host) => expect(isLoopback(host)).toBe(true),
);

test.each(["0.0.0.0", "::", "192.168.1.2", "localhost.example.com", "1270.0.0.1", ""])("%j is not", (host) =>
  expect(isLoopback(host)).toBe(false),
);

test("others reach a runner by its address, its public URL, or the proxy that it trusts", () => {
  const alone = { host: "localhost", publicUrl: undefined, trustProxy: false };
  expect(isReachedByOthers(alone)).toBe(false);
  expect(isReachedByOthers({ ...alone, publicUrl: new URL("http://127.0.0.1:7860") })).toBe(false);
  expect(isReachedByOthers({ ...alone, host: "0.0.0.0" })).toBe(true);
  expect(isReachedByOthers({ ...alone, publicUrl: new URL("https://x.example") })).toBe(true);
  expect(isReachedByOthers({ ...alone, trustProxy: true })).toBe(true);
});

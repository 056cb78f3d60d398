import { expect, test } from "vitest";
import { clientOf, isExposed, isLoopback } from "./settings.ts";

test.each(["localhost", "LOCALHOST.", "bots.localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"])(
  "%s is loopback",
  (host) => expect(isLoopback(host)).toBe(true),
);

test.each(["0.0.0.0", "::", "192.168.1.2", "localhost.example.com", "1270.0.0.1", ""])("%j is not loopback", (host) =>
  expect(isLoopback(host)).toBe(false),
);

test("a runner is exposed through its address, its public URL, or a trusted proxy", () => {
  const alone = { host: "localhost", publicUrl: undefined, trustProxy: false };
  expect(isExposed(alone)).toBe(false);
  expect(isExposed({ ...alone, publicUrl: new URL("http://127.0.0.1:7860") })).toBe(false);
  expect(isExposed({ ...alone, host: "0.0.0.0" })).toBe(true);
  expect(isExposed({ ...alone, publicUrl: new URL("https://x.example") })).toBe(true);
  expect(isExposed({ ...alone, trustProxy: true })).toBe(true);
});

test("a client is an IPv4 address or an IPv6 network of 64 bits", () => {
  const client = (remoteAddress?: string) => clientOf({ remoteAddress });
  expect([client("192.0.2.7"), client("::ffff:192.0.2.7"), client("::1"), client(undefined)]).toEqual([
    "192.0.2.7",
    "192.0.2.7",
    "0:0:0:0",
    "",
  ]);
  expect(new Set(["2001:db8::a:b:c:d", "2001:db8:0:0:1::", "2001:db8::1"].map(client)).size).toBe(1);
  expect(client("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
});

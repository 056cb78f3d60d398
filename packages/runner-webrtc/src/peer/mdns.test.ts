import { expect, test, vi } from "vitest";
import { createMdnsResolver } from "./mdns.ts";
import { loopback, startBrowser } from "./test/mdns-browser.ts";

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
}

test("finds the address behind a name, whatever its case, and holds no socket after", async () => {
  await startBrowser("a-b.local", "192.0.2.7");
  const before = openSockets();
  const names = createMdnsResolver(loopback);
  expect(await Promise.all([names.resolve("a-b.local"), names.resolve("A-B.local")])).toEqual([
    "192.0.2.7",
    "192.0.2.7",
  ]);
  await vi.waitFor(() => expect(openSockets()).toBe(before));
});

test("a name that nobody knows is given up in 1.5 s, or when the resolver is closed", async () => {
  const names = createMdnsResolver(loopback);
  const began = performance.now();
  expect(await names.resolve("nobody.local")).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(4_500);
  const asking = names.resolve("nobody.local");
  names.close();
  expect(await asking).toBeUndefined();
});

test("no more than 16 names are asked for", async () => {
  const asked = await startBrowser("last.local", "192.0.2.8");
  const names = createMdnsResolver(loopback);
  const found = Array.from({ length: 16 }, (_, index) => names.resolve(`name-${index}.local`));
  expect(await names.resolve("last.local")).toBeUndefined();
  await vi.waitFor(() => expect(asked()).toBeGreaterThanOrEqual(16));
  names.close();
  expect(await Promise.all(found)).toEqual(Array(16).fill(undefined));
});

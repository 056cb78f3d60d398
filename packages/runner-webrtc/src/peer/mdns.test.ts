import multicastDns from "multicast-dns";
import { expect, onTestFinished, test, vi } from "vitest";
import { createMdnsResolver } from "./mdns.ts";

/** Multicast among programs of this machine, on a port of the tests' own. */
const options: multicastDns.Options = {
  interface: "127.0.0.1",
  bind: "0.0.0.0",
  port: 45_353,
  loopback: true,
  reuseAddr: true,
};

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
}

/** Answers for one name, as a browser does for its own; tells how often it was asked for any. */
async function startBrowser(name: string, address: string): Promise<() => number> {
  const browser = multicastDns(options);
  onTestFinished(() => new Promise((resolve) => browser.destroy(resolve)));
  let asked = 0;
  browser.on("query", ({ questions = [] }) => {
    asked += questions.length;
    if (questions.some((question) => question.name === name))
      browser.respond([{ name, type: "A", ttl: 120, data: address }]);
  });
  await new Promise((resolve) => browser.once("ready", () => resolve(undefined)));
  return () => asked;
}

test("finds the address behind a name, whatever its case, and holds no socket after", async () => {
  await startBrowser("a-b.local", "192.0.2.7");
  const before = openSockets();
  const names = createMdnsResolver(options);
  expect(await Promise.all([names.resolve("a-b.local"), names.resolve("A-B.local")])).toEqual([
    "192.0.2.7",
    "192.0.2.7",
  ]);
  await vi.waitFor(() => expect(openSockets()).toBe(before));
});

test("a name that nobody knows is given up in 1.5 s, or when the resolver is closed", async () => {
  const names = createMdnsResolver(options);
  const began = performance.now();
  expect(await names.resolve("nobody.local")).toBeUndefined();
  expect(performance.now() - began).toBeLessThan(4_500);
  const asking = names.resolve("nobody.local");
  names.close();
  expect(await asking).toBeUndefined();
});

test("no more than 16 names are asked for", async () => {
  const asked = await startBrowser("last.local", "192.0.2.8");
  const names = createMdnsResolver(options);
  const found = Array.from({ length: 16 }, (_, index) => names.resolve(`name-${index}.local`));
  expect(await names.resolve("last.local")).toBeUndefined();
  await vi.waitFor(() => expect(asked()).toBeGreaterThanOrEqual(16));
  names.close();
  expect(await Promise.all(found)).toEqual(Array(16).fill(undefined));
});

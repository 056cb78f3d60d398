import { createSocket } from "node:dgram";
import { expect, onTestFinished, test, vi } from "vitest";
import { createMdnsQueries, createMdnsResolver, isReadableResponse } from "./mdns.ts";
import { loopback, startMdnsResponder } from "./test/mdns-responder.ts";

function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === "UDPWrap").length;
}

test("resolves a name in any case, and releases its socket", async () => {
  await startMdnsResponder("a-b.local", "192.0.2.7");
  const before = openSockets();
  const names = createMdnsResolver(loopback);
  expect(await Promise.all([names.resolve("a-b.local"), names.resolve("A-B.local")])).toEqual([
    "192.0.2.7",
    "192.0.2.7",
  ]);
  await vi.waitFor(() => expect(openSockets()).toBe(before));
});

test("an unknown name times out after 1.5 s, or when the resolver closes", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
  const names = createMdnsResolver(loopback);
  const settled = vi.fn<(address: string | undefined) => void>();
  void names.resolve("nobody.local").then(settled);
  await vi.advanceTimersByTimeAsync(1_499);
  expect(settled).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(settled).toHaveBeenCalledExactlyOnceWith(undefined);
  const pending = names.resolve("nobody.local");
  names.close();
  expect(await pending).toBeUndefined();
});

test("a name is queried once, however many offers repeat it", async () => {
  const questionCount = await startMdnsResponder("a-b.local", "192.0.2.7");
  const names = createMdnsResolver(loopback);
  for (let offers = 0; offers < 20; offers++) expect(await names.resolve("a-b.local")).toBe("192.0.2.7");
  expect(questionCount()).toBe(1);
});

test("a resolver queries at most 16 names", async () => {
  const questionCount = await startMdnsResponder("last.local", "192.0.2.8");
  const names = createMdnsResolver(loopback);
  const found = Array.from({ length: 16 }, (_, index) => names.resolve(`name-${index}.local`));
  expect(await names.resolve("last.local")).toBeUndefined();
  await vi.waitFor(() => expect(questionCount()).toBeGreaterThanOrEqual(16));
  names.close();
  expect(await Promise.all(found)).toEqual(Array(16).fill(undefined));
});

test("all callers together wait for at most 64 names", async () => {
  const questionCount = await startMdnsResponder("last.local", "192.0.2.9");
  const queries = createMdnsQueries();
  const callers = Array.from({ length: 5 }, () => createMdnsResolver(loopback, queries));
  const found = callers
    .slice(0, 4)
    .flatMap((names, caller) =>
      Array.from({ length: 16 }, (_, index) => names.resolve(`name-${caller}-${index}.local`)),
    );
  const [last] = callers.slice(-1);
  expect(await last?.resolve("last.local")).toBeUndefined();
  await vi.waitFor(() => expect(questionCount()).toBeGreaterThanOrEqual(64));
  callers[0]?.close();
  expect(await last?.resolve("last.local")).toBe("192.0.2.9");
  for (const names of callers) names.close();
  await Promise.all(found);
});

test("a response among malformed and unrelated packets is found", async () => {
  const names = createMdnsResolver(loopback);
  const found = names.resolve("a-b.local");
  const sender = createSocket("udp4");
  onTestFinished(() => void sender.close());
  const junk = [
    "",
    "00",
    "ff".repeat(40),
    "000084000000ffff00000000",
    `00008400000000010000000003613162c00c${"00".repeat(20)}`,
  ];
  for (const hex of junk) sender.send(Buffer.from(hex, "hex"), loopback.port ?? 0, "127.0.0.1");
  for (let count = 0; count < 50; count++) sender.send(Buffer.alloc(9_000, 0x84), loopback.port ?? 0, "127.0.0.1");
  await startMdnsResponder("a-b.local", "192.0.2.7");
  expect(await found).toBe("192.0.2.7");
});

test.each([
  ["a query", "000000000001000000000000", false],
  ["a response", "000084000000000100000000", true],
  ["a response with 65 records", "000084000001004000000000", false],
  ["a header that is cut off", "0000840000000001000000", false],
  ["a packet larger than an Ethernet frame", `000084000000000100000000${"00".repeat(1_500)}`, false],
])("%s is read: %s", (_, hex, expected) => {
  expect(isReadableResponse(Buffer.from(hex, "hex"))).toBe(expected);
});

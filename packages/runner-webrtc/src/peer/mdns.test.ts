import { expect, onTestFinished, test, vi } from "vitest";
import { createMdnsResolver } from "./mdns.ts";
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

test("a resolver queries at most 16 names", async () => {
  const questionCount = await startMdnsResponder("last.local", "192.0.2.8");
  const names = createMdnsResolver(loopback);
  const found = Array.from({ length: 16 }, (_, index) => names.resolve(`name-${index}.local`));
  expect(await names.resolve("last.local")).toBeUndefined();
  await vi.waitFor(() => expect(questionCount()).toBeGreaterThanOrEqual(16));
  names.close();
  expect(await Promise.all(found)).toEqual(Array(16).fill(undefined));
});

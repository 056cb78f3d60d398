import { beforeEach, expect, test, vi } from "vitest";
import { apiKeyHeaders, keepApiKey } from "./api-key.ts";

const kept = new Map<string, string>();
beforeEach(() => {
  kept.clear();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
  });
});

test("a key that was given is sent as a bearer, and before that nothing", () => {
  expect([...apiKeyHeaders()]).toEqual([]);
  keepApiKey(" my-key\n");
  expect([...apiKeyHeaders()]).toEqual([["authorization", "Bearer my-key"]]);
});

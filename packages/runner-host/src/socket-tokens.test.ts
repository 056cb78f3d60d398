import type { Session } from "@pipecat-ts/runner-core";
import { afterEach, expect, test, vi } from "vitest";
import { createSocketTokens } from "./socket-tokens.ts";

const session = (id: string) => ({ id }) as Session;
afterEach(() => void vi.useRealTimers());

test("a token names its session until it expires, 120 s later", () => {
  vi.useFakeTimers({ now: 1_000_000_000_500 });
  const tokens = createSocketTokens();
  const token = tokens.create(session("abc"));
  expect(token).toMatch(/^abc\.1000000121\.[\w-]{43}$/);
  vi.advanceTimersByTime(120_000);
  expect(tokens.check(token)).toBe("abc");
  vi.advanceTimersByTime(500);
  expect(() => tokens.check(token)).toThrow("expired");
});

test.each([
  ["another session", (token: string) => token.replace("abc", "abd")],
  ["another expiry", (token: string) => token.replace(/\.(\d+)\./, (_, expiry) => `.${Number(expiry) + 1}.`)],
  ["another signature", (token: string) => token.replace(/.$/, (last) => (last === "A" ? "E" : "A"))],
  ["no signature", (token: string) => token.replace(/\.[^.]*$/, "")],
  ["a part more", (token: string) => `${token}.x`],
  ["parts moved", (token: string) => token.replace(".", "")],
  ["nothing", () => ""],
  ["dots", () => ".."],
  ["a long text", () => "a.1.".repeat(10_000)],
])("a token with %s is refused", (_, change) => {
  const tokens = createSocketTokens();
  const token = tokens.create(session("abc"));
  expect(() => tokens.check(change(token))).toThrow(expect.objectContaining({ code: "TOKEN_INVALID", status: 403 }));
});

test("another runner's token is refused, unless both have one secret", () => {
  const token = createSocketTokens().create(session("abc"));
  expect(() => createSocketTokens().check(token)).toThrow("another server");
  const shared = "a secret of sixteen characters";
  expect(createSocketTokens(shared).check(createSocketTokens(shared).create(session("abc")))).toBe("abc");
});

test("a session is reached once, unless the use is given back", () => {
  const tokens = createSocketTokens();
  const one = session("one");
  tokens.use(one);
  expect(() => tokens.use(one)).toThrow("used before");
  tokens.giveBack(one);
  tokens.use(one);
  tokens.use(session("one"));
});

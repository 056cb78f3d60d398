import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { apiKeyHeaders, fetchStatus, startSession, storeApiKey } from "./api.ts";
import { NoticeError } from "./notices.ts";

const closers: (() => void)[] = [];
let stored: Map<string, string>;

beforeEach(() => {
  stored = new Map();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => void stored.set(name, value),
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  for (const close of closers.splice(0)) close();
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/status`;
}

test("fetchStatus returns the transports in the runner's order, and what is missing", async () => {
  const problem = { name: "twilio", reason: "No token.", fix: "Set it." };
  const answer = { status: "ready", transports: ["webrtc", "websocket", 7], problems: [problem, { name: "daily" }] };
  const url = await serve((_request, response) => response.end(JSON.stringify(answer)));
  expect(await fetchStatus(url)).toEqual({
    transports: ["webrtc", "websocket"],
    problems: [problem],
    requiresKey: false,
  });
});

test("a runner that does not answer for 15 s counts as unreachable", async () => {
  const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(AbortSignal.abort());
  const url = await serve(() => undefined);
  await expect(fetchStatus(url)).rejects.toThrow("does not answer");
  expect(timeout).toHaveBeenCalledWith(15_000);
  timeout.mockRestore();
});

test("a runner requires its key if it does not say what is missing, or if this page has sent the key", async () => {
  const answer: Record<string, unknown> = { status: "ready", transports: [] };
  const url = await serve((_request, response) => response.end(JSON.stringify(answer)));
  expect((await fetchStatus(url)).requiresKey).toBe(true);
  answer.problems = [];
  expect((await fetchStatus(url)).requiresKey).toBe(false);
  storeApiKey("my-key");
  expect((await fetchStatus(url)).requiresKey).toBe(true);
});

test("startSession sends the API key, and tells a missing key from a wrong one", async () => {
  const received: unknown[] = [];
  const status = await serve(async (request, response) => {
    const { authorization } = request.headers;
    for await (const body of request) received.push(JSON.parse(String(body)), authorization);
    const code = authorization === "Bearer right" ? 200 : 401;
    response.writeHead(code, { "x-session-id": "abc" }).end(JSON.stringify({ wsUrl: "ws://x" }));
  });
  vi.stubGlobal("location", { href: status.replace("/status", "/client/") });
  const start = () => startSession("webrtc", new AbortController().signal);
  const keyAsked = () => start().then(undefined, (error) => error instanceof NoticeError && error.notice.key);
  expect(await keyAsked()).toBe("missing");
  storeApiKey("wrong");
  expect(await keyAsked()).toBe("wrong");
  storeApiKey("right");
  expect(await start()).toEqual({ sessionId: "abc", reply: { wsUrl: "ws://x" } });
  expect(received.slice(-2)).toEqual([{ transport: "webrtc" }, "Bearer right"]);
});

test.each([
  ["<html>", 200, "did not come from the runner"],
  ["{}", 200, "did not come from the runner"],
  ["null", 200, "did not come from the runner"],
  ["{}", 503, "GET /status with 503 Service Unavailable"],
])("fetchStatus rejects the answer %j with status %i", async (body, code, text) => {
  const url = await serve((_request, response) => response.writeHead(code).end(body));
  await expect(fetchStatus(url)).rejects.toThrow(text);
});

test("fetchStatus names the address that does not answer", async () => {
  const url = await serve(() => undefined);
  closers.pop()?.();
  await expect(fetchStatus(url)).rejects.toThrow(`The runner at ${new URL(url).origin} does not answer`);
});

test("a stored API key is sent as a bearer token", () => {
  expect([...apiKeyHeaders()]).toEqual([]);
  storeApiKey(" my-key\n");
  expect([...apiKeyHeaders()]).toEqual([["authorization", "Bearer my-key"]]);
});

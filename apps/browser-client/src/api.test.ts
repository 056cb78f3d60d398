import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { apiKeyHeaders, fetchStatus, storeApiKey } from "./api.ts";

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/status`;
}

test("fetchStatus returns the transports in the runner's order", async () => {
  const url = await serve((_request, response) =>
    response.end(JSON.stringify({ status: "ready", transports: ["webrtc", "websocket", 7] })),
  );
  expect(await fetchStatus(url)).toEqual({ transports: ["webrtc", "websocket"] });
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
  const stored = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => void stored.set(name, value),
  });
  expect([...apiKeyHeaders()]).toEqual([]);
  storeApiKey(" my-key\n");
  expect([...apiKeyHeaders()]).toEqual([["authorization", "Bearer my-key"]]);
});

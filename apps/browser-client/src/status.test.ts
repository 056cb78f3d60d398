import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { fetchStatus } from "./status.ts";

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

test("gives the transports in the runner's order", async () => {
  const url = await serve((_request, response) =>
    response.end(JSON.stringify({ status: "ready", transports: ["webrtc", "websocket", 7] })),
  );
  expect(await fetchStatus(url)).toEqual({ transports: ["webrtc", "websocket"] });
});

test.each([
  ["<html>", 200, "was not the runner's"],
  ["{}", 200, "was not the runner's"],
  ["null", 200, "was not the runner's"],
  ["{}", 503, "GET /status with 503 Service Unavailable"],
])("says what is wrong with the answer %j of status %i", async (body, code, text) => {
  const url = await serve((_request, response) => response.writeHead(code).end(body));
  await expect(fetchStatus(url)).rejects.toThrow(text);
});

test("says where nobody answers", async () => {
  const url = await serve(() => undefined);
  closers.pop()?.();
  await expect(fetchStatus(url)).rejects.toThrow(`The runner at ${new URL(url).origin} does not answer`);
});

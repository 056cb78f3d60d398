import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Clock } from "./clock.ts";
import { createRestClient, type RestRequest } from "./rest.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

interface Recorded {
  readonly method: string | undefined;
  readonly path: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** An API that answers with these statuses in turn; it leaves requests without one unanswered. */
async function startApi(...statuses: readonly number[]): Promise<{ url: URL; requests: Recorded[] }> {
  const requests: Recorded[] = [];
  server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      requests.push({ method: request.method, path: request.url, headers: request.headers, body });
      const status = statuses[requests.length - 1];
      if (status !== undefined) response.writeHead(status, { "retry-after": "2" }).end('{"number":"+15550100"}');
    });
  });
  const opened = server;
  await new Promise<void>((resolve) => opened.listen(0, "127.0.0.1", resolve));
  return { url: new URL(`http://127.0.0.1:${(opened.address() as AddressInfo).port}`), requests };
}

function post(url: URL, fields: Partial<RestRequest> = {}): RestRequest {
  const headers = { authorization: "Bearer secret" };
  return { method: "POST", url: new URL("/calls/CA1?key=secret", url), headers, body: "over=1", ...fields };
}

/** A clock whose pauses end at once and whose timeouts never come. */
function impatientClock(timeoutMs = 5_000): { clock: Clock; pausesMs: number[] } {
  const pausesMs: number[] = [];
  const clock: Clock = {
    now: () => 0,
    after(delayMs, callback) {
      if (delayMs === timeoutMs) return () => undefined;
      pausesMs.push(delayMs);
      const timer = setImmediate(callback);
      return () => clearImmediate(timer);
    },
  };
  return { clock, pausesMs };
}

const acme = { vendor: "Acme", unreachable: "CARRIER_REFUSED" };

test("sends method, path, headers and body, and resolves with the answer whatever its status", async () => {
  const { url, requests } = await startApi(404);
  const answer = await createRestClient(acme).send(post(url));
  expect(answer).toMatchObject({ status: 404, body: '{"number":"+15550100"}' });
  expect(requests).toMatchObject([
    { method: "POST", path: "/calls/CA1?key=secret", body: "over=1", headers: { authorization: "Bearer secret" } },
  ]);
});

test.each([500, 503, 429])("repeats an idempotent request after %i, with growing pauses", async (status) => {
  const { url, requests } = await startApi(status, status, 200);
  const { clock, pausesMs } = impatientClock();
  const client = createRestClient({ ...acme, clock, retryDelayMs: 4_000 });
  expect(await client.send(post(url, { attempts: 3, idempotent: true }))).toMatchObject({ status: 200 });
  expect(requests).toHaveLength(3);
  expect(pausesMs[0]).toBeGreaterThanOrEqual(4_000);
  expect(pausesMs[1]).toBeGreaterThanOrEqual(8_000);
});

test("repeats any other request after 429 only, no earlier than Retry-After demands", async () => {
  const { url, requests } = await startApi(429, 500, 200);
  const { clock, pausesMs } = impatientClock();
  const answer = await createRestClient({ ...acme, clock, retryDelayMs: 10 }).send(post(url, { attempts: 3 }));
  expect(answer.status).toBe(500);
  expect(requests).toHaveLength(2);
  expect(pausesMs).toEqual([2_000]);
});

test("sends a request once by default", async () => {
  const { url, requests } = await startApi(429, 200);
  expect(await createRestClient(acme).send(post(url))).toMatchObject({ status: 429 });
  expect(requests).toHaveLength(1);
});

test("rejects when the API is unreachable, without URL, headers and body in the error", async () => {
  const { url } = await startApi();
  await new Promise((resolve) => server?.close(resolve));
  const error = await createRestClient(acme)
    .send(post(url))
    .catch((failure) => failure);
  expect(error).toMatchObject({ code: "CARRIER_REFUSED", status: 502 });
  expect(error.message).toMatch(/^The API of Acme did not answer: .*ECONNREFUSED/);
  expect(JSON.stringify([error.message, error.fix])).not.toMatch(/secret|CA1|5550100/);
});

test("an attempt times out", async () => {
  const { url } = await startApi();
  await expect(createRestClient({ ...acme, timeoutMs: 50 }).send(post(url))).rejects.toThrow("no answer within 0.05 s");
});

test("close waits for requests in progress, then aborts them", async () => {
  const { url, requests } = await startApi();
  const client = createRestClient(acme);
  const sending = client.send(post(url, { attempts: 5, idempotent: true }));
  const settled = sending.catch((error: Error) => error.message);
  await expect.poll(() => requests.length).toBe(1);
  await client.close(10);
  expect(await settled).toContain("the runner stopped");
  expect(requests).toHaveLength(1);
});

test("close also ends the pause before another attempt", async () => {
  const { url, requests } = await startApi(429, 200);
  const client = createRestClient({ ...acme, retryDelayMs: 60_000 });
  const settled = client.send(post(url, { attempts: 2 })).catch((error: Error) => error.message);
  const answered = Promise.withResolvers<void>();
  server?.once("request", (_, response) => response.once("close", answered.resolve));
  await answered.promise;
  await client.close(100);
  expect(await settled).toContain("the runner stopped");
  expect(requests).toHaveLength(1);
});

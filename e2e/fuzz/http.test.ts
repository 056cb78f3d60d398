import { request as send } from "node:http";
import { text } from "node:stream/consumers";
import type { Logger } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import websocket from "@pipecat-ts/runner-websocket/plugin";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fuzz, socketTimeoutMs } from "./fuzz.ts";

const errors: unknown[] = [];
const ignore = () => undefined;
const logger: Logger = {
  ...{ debug: ignore, info: ignore, warn: ignore },
  error: (...line: unknown[]) => void errors.push(line),
  child: () => logger,
};
let runner: Runner;
beforeAll(async () => {
  runner = createRunner({
    bot: ({ session }) => session.onRequest((ctx) => ctx.throw(418)),
    plugins: [websocket],
    port: 0,
    env: {},
    logger,
  });
  await runner.listen();
});
afterAll(() => runner.close());

const fieldName = fc.constantFrom(
  "transport",
  "body",
  "enableDefaultIceServers",
  "sessionId",
  "__proto__",
  "constructor",
  "",
);
const value = fc.oneof(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom("websocket", "webrtc", null, -0));
const json = fc.dictionary(fieldName, value, { maxKeys: 6 }).map((fields) => JSON.stringify(fields));
const form = fc
  .array(fc.tuple(fieldName, fc.string({ maxLength: 20 })))
  .map((pairs) => pairs.map((pair) => pair.map(encodeURIComponent).join("=")).join("&"));
const body = fc.oneof(
  json,
  form,
  json.map((whole) => whole.slice(0, -1)),
  fc.string({ maxLength: 200, unit: "binary" }),
  fc.nat({ max: 20_000 }).map((depth) => "[".repeat(depth)),
);
const path = fc.oneof(
  fc.constantFrom(
    "/start",
    "/sessions",
    "/status",
    "/client/",
    "/files/x",
    "/metrics",
    "/ws-client",
    "/sessions/none/x",
  ),
  fc.webPath(),
);
const contentType = fc.constantFrom(
  "application/json",
  "application/x-www-form-urlencoded",
  "text/plain; charset=utf-9",
  "multipart/form-data; boundary=x",
  "application/ld+json",
  "",
);
const request = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"),
  path,
  contentType,
  encoding: fc.constantFrom("identity", "gzip", "br, gzip"),
  body,
});

test(
  "requests of any path, type and body get a status below 500, and nothing is logged as an error",
  async () => {
    const statuses = new Map<number, number>();
    await fuzz(
      request,
      async ({ method, path, contentType, encoding, body }) => {
        const { hostname, port } = runner.url;
        const bytes = Buffer.from(method === "GET" || method === "HEAD" ? "" : body);
        const headers = {
          "content-type": contentType,
          "content-encoding": encoding,
          "content-length": bytes.length,
          connection: "close",
        };
        const status = await new Promise<number>((resolve, reject) => {
          const sent = send({ hostname, port, method, path, headers }, (response) => {
            text(response).then(() => resolve(response.statusCode ?? 0), reject);
          });
          sent.on("error", reject);
          sent.end(bytes);
        });
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        expect(status).toBeLessThan(500);
        expect(errors).toEqual([]);
      },
      // A request over a real socket, whose client runs in this process too.
      { maxMs: 200 },
    );
    expect([...statuses.keys()]).toEqual(expect.arrayContaining([200, 400, 404, 405, 415]));
  },
  socketTimeoutMs,
);

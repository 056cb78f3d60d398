import type { HttpRoute } from "@pipecat-ts/runner-core";
import { createFileStorage } from "@pipecat-ts/runner-files";
import { Validator } from "@seriousme/openapi-schema-validator";
import * as Type from "typebox";
import { expect, test } from "vitest";
import { fakePlugin } from "./test/fake-plugin.ts";
import { type RunnerFixture, startRunner } from "./test/fixture.ts";

interface Operation {
  readonly tags: readonly string[];
  readonly security?: readonly object[];
  readonly [field: string]: unknown;
}

interface OpenApi {
  readonly servers: readonly object[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const handle = () => undefined;
const schema = Type.Object({ name: Type.String({ maxLength: 10 }), size: Type.Optional(Type.Integer()) });
const routes: readonly HttpRoute[] = [
  {
    method: ["POST", "PUT"],
    path: "/pigeons/:pigeonId{/*path}",
    access: "caller",
    summary: "Feeds it",
    schema,
    handle,
  },
  { method: "POST", path: "/vendor", access: "carrier", handle },
];
const plugin = fakePlugin({ opened: { routes } });
const apiKey = "sixteen-characters";

async function read(host: RunnerFixture, headers: Record<string, string> = {}): Promise<OpenApi> {
  const response = await host.fetch("/openapi.json", { headers });
  expect(response.status).toBe(200);
  return (await response.json()) as OpenApi;
}

async function expectValid(document: OpenApi): Promise<void> {
  const validator = new Validator();
  const { valid, errors } = await validator.validate({ ...structuredClone(document) });
  expect(errors ?? []).toEqual([]);
  expect([valid, validator.version]).toEqual([true, "3.1"]);
}

test("/openapi.json is valid OpenAPI 3.1, with the routes of the runner, its transports and the program", async () => {
  await using host = await startRunner({
    plugins: [plugin],
    downloadsFolder: import.meta.dirname,
    fileStorage: createFileStorage({ folder: import.meta.dirname }),
    publicUrl: "https://example.com/voice",
    prepare({ router }) {
      router.get("/hello/:name", handle);
      router.get(/^\/pattern/, handle);
    },
  });
  const document = await read(host);
  await expectValid(document);
  expect(document.servers).toEqual([{ url: "https://example.com/voice" }]);
  expect(Object.keys(document.paths).sort()).toEqual([
    "/docs",
    "/fake",
    "/fake/{credential}",
    "/files",
    "/files/{path}",
    "/hello/{name}",
    "/livez",
    "/metrics",
    "/openapi.json",
    "/pigeons/{pigeonId}",
    "/pigeons/{pigeonId}/{path}",
    "/readyz",
    "/sessions",
    "/sessions/{sessionId}",
    "/sessions/{sessionId}/files",
    "/start",
    "/status",
    "/vendor",
  ]);
});

test("a transport's route has its name, summary, parameters and the schema of its body", async () => {
  await using host = await startRunner({ plugins: [plugin] });
  const { "/pigeons/{pigeonId}/{path}": pigeons = {}, "/start": start = {} } = (await read(host)).paths;
  expect(Object.keys(pigeons)).toEqual(["post", "put"]);
  expect(pigeons.post).toMatchObject({
    tags: ["fake"],
    summary: "Feeds it",
    parameters: [{ name: "pigeonId", in: "path", required: true }, { name: "path" }],
    requestBody: {
      content: {
        "application/json": {
          schema: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string", maxLength: 10 }, size: { type: "integer" } },
          },
        },
      },
    },
  });
  expect(JSON.stringify(start.post)).toContain('"transport":{"enum":["fake"]}');
});

test("with an API key, /openapi.json requires it, and describes which routes do", async () => {
  await using host = await startRunner({ plugins: [plugin], apiKey });
  const refused = await host.fetch("/openapi.json");
  expect([refused.status, await refused.json()]).toMatchObject([401, { code: "KEY_REQUIRED" }]);
  const document = await read(host, { authorization: `Bearer ${apiKey}` });
  await expectValid(document);
  const security = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => [`${method} ${path}`, operation.security] as const),
  );
  const open = security.filter(([, required]) => required?.length === 0).map(([route]) => route);
  expect(open.sort()).toEqual(["get /docs", "get /livez", "get /readyz", "get /status", "post /vendor"]);
});

test("without a key, pages of other origins cannot read /openapi.json", async () => {
  await using host = await startRunner({ host: "0.0.0.0" });
  const headers = { origin: "https://elsewhere.example" };
  expect((await host.fetch("/status", { headers })).status).toBe(200);
  expect((await host.fetch("/openapi.json", { headers })).status).toBe(403);
});

test("/docs is a page without the key that names no other host", async () => {
  await using host = await startRunner({ apiKey });
  const response = await host.fetch("/docs");
  const page = await response.text();
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
  expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'; .*connect-src 'self'/);
  expect(page).not.toMatch(/https?:|\/\//);
});

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";
import { errorStatus, RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { errorReply } from "./errors.ts";
import { startRunner } from "./test/fixture.ts";

test("a path without a route gets 404 JSON, from other origins too", async () => {
  await using host = await startRunner({ allowedOrigins: ["*"] });
  const response = await host.fetch("/nowhere", { headers: { origin: "https://shop.example" } });
  expect(response.status).toBe(404);
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  expect(response.headers.get("access-control-allow-credentials")).toBeNull();
  expect(await response.json()).toEqual({ code: "NOT_FOUND", detail: "GET /nowhere does not exist." });
});

test("a method that a route does not support gets 405 JSON, which names the supported ones", async () => {
  await using host = await startRunner({ allowedOrigins: ["*"] });
  const response = await host.fetch("/start");
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  expect(await response.json()).toEqual({
    code: "METHOD_NOT_ALLOWED",
    detail: "GET /start is not allowed. Use POST.",
  });
});

test.each(["GET", "POST", "PUT", "PATCH", "DELETE"])("CORS allows %s to pages of all origins", async (method) => {
  await using host = await startRunner({ allowedOrigins: ["*"] });
  const response = await host.fetch("/start", {
    method: "OPTIONS",
    headers: {
      origin: "https://shop.example",
      "access-control-request-method": method,
      "access-control-request-headers": "authorization,content-type",
    },
  });
  expect(response.status).toBe(204);
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  expect(response.headers.get("access-control-allow-methods")?.split(",")).toContain(method);
  expect(response.headers.get("access-control-allow-headers")).toBe("authorization,content-type");
});

test("an error of a route of your own gets its status, and an unknown error gets 500 without details", async () => {
  await using host = await startRunner({
    prepare({ router }) {
      router.get("/own", (ctx) => {
        ctx.body = "mine";
      });
      router.get("/teapot", (ctx) => ctx.throw(418, "short and stout"));
      router.get("/broken", () => {
        throw new Error("secret");
      });
      router.get("/odd", () => {
        throw "not an error";
      });
    },
  });
  expect(await (await host.fetch("/own")).text()).toBe("mine");
  const teapot = await host.fetch("/teapot");
  expect([teapot.status, await teapot.json()]).toEqual([418, { code: "REQUEST_INVALID", detail: "short and stout" }]);
  for (const path of ["/broken", "/odd"]) {
    const response = await host.fetch(path);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toMatch(/secret|not an error/);
  }
  expect(host.log.messages("error")).toHaveLength(2);
});

test("routes of your own come before the runner's, and middleware of your own receives every request", async () => {
  const seen: string[] = [];
  await using host = await startRunner({
    prepare({ app, router }) {
      app.use((ctx, next) => {
        seen.push(ctx.path);
        return next();
      });
      router.get("/status", (ctx) => {
        ctx.body = { status: "mine" };
      });
    },
  });
  expect(await (await host.fetch("/status")).json()).toEqual({ status: "mine" });
  await host.fetch("/livez");
  expect(seen).toEqual(["/status", "/livez"]);
});

test("an error with expose: false is not shown, whatever its status", () => {
  const fromLibrary = Object.assign(new Error("secret"), { status: 400, statusCode: 400, expose: false });
  expect(errorReply(fromLibrary)).toMatchObject({ status: 500, body: { code: "INTERNAL" } });
  expect(JSON.stringify(errorReply(fromLibrary))).not.toContain("secret");
});

test("the detail contains the fix, and temporary errors have a Retry-After header", () => {
  const error = new RunnerError("TRANSPORT_UNKNOWN", "The transport is not installed.", { fix: "Install it." });
  expect(errorReply(error)).toEqual({
    status: 400,
    headers: {},
    body: { detail: "The transport is not installed. Install it.", code: "TRANSPORT_UNKNOWN" },
  });
  expect(errorReply(new RunnerError("DRAINING", "Soon.")).headers).toEqual({ "Retry-After": "5" });
  expect(errorReply(new RunnerError("AT_CAPACITY", "Full.")).headers).toEqual({ "Retry-After": "5" });
});

test("docs/errors.md explains all error codes with their statuses", () => {
  const text = readFileSync(new URL("../../../docs/errors.md", import.meta.url), "utf8");
  const entries = [
    ...text.matchAll(/^### ([A-Z_]+)\n\nStatus (\d+)\. .+\n(?:\n- .+(?:\n- .+)*\n)?\n_What to do:_ .+\n/gm),
  ];
  expect(Object.fromEntries(entries.map(([, code, status]) => [code, Number(status)]))).toEqual(errorStatus);
  expect(text.match(/^###/gm)).toHaveLength(Object.keys(errorStatus).length);
});

test("requests that are rejected before their body arrived leave no listeners on their connection", async () => {
  let listeners = 0;
  await using host = await startRunner({
    apiKey: "sixteen-characters",
    prepare({ app }) {
      app.use((ctx, next) => {
        listeners = ctx.req.socket.listenerCount("close");
        return next();
      });
    },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const counts: number[] = [];
  for (let count = 0; count < 4; count++) {
    const sent = request(new URL("/start", host.runner.url), { method: "POST", agent });
    sent.write("{");
    const [response] = await once(sent, "response");
    sent.end("}");
    expect(response.statusCode).toBe(401);
    await text(response);
    counts.push(listeners);
  }
  agent.destroy();
  expect(counts[3]).toBe(counts[1]);
});

import { RunnerError } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { errorReply } from "./errors.ts";
import { startRunner } from "./test/fixture.ts";

test("a path that nobody answers is 404 JSON, for other origins, too", async () => {
  await using host = await startRunner();
  const response = await host.fetch("/nowhere", { headers: { origin: "https://shop.example" } });
  expect(response.status).toBe(404);
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  expect(response.headers.get("access-control-allow-credentials")).toBeNull();
  expect(await response.json()).toEqual({ code: "NOT_FOUND", detail: "Nothing here answers GET /nowhere." });
});

test("a method that a path does not take is 405 JSON and says which ones it takes", async () => {
  await using host = await startRunner();
  const response = await host.fetch("/start");
  expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
  expect(await response.json()).toEqual({
    code: "METHOD_NOT_ALLOWED",
    detail: "GET /start is not possible. Use POST.",
  });
});

test.each(["GET", "POST", "PUT", "PATCH", "DELETE"])("pages of any origin may %s", async (method) => {
  await using host = await startRunner();
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

test("what a user's own route throws is answered by what it is", async () => {
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

test("a user's route comes before the runner's, and its middleware sees every request", async () => {
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

test("an error that is not meant to be shown is not, whatever status it has", () => {
  const fromLibrary = Object.assign(new Error("secret"), { status: 400, statusCode: 400, expose: false });
  expect(errorReply(fromLibrary)).toMatchObject({ status: 500, body: { code: "INTERNAL" } });
  expect(JSON.stringify(errorReply(fromLibrary))).not.toContain("secret");
});

test("an error's remedy is part of its detail, and those that pass say when to try again", () => {
  const error = new RunnerError("TRANSPORT_UNKNOWN", "No kite.", { fix: "Build one." });
  expect(errorReply(error)).toEqual({
    status: 400,
    headers: {},
    body: { detail: "No kite. Build one.", code: "TRANSPORT_UNKNOWN" },
  });
  expect(errorReply(new RunnerError("DRAINING", "Soon.")).headers).toEqual({ "Retry-After": "5" });
  expect(errorReply(new RunnerError("AT_CAPACITY", "Full.")).headers).toEqual({ "Retry-After": "5" });
});

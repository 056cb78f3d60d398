import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDailyRest, type DailyRest } from "./api.ts";
import { apiKey, type DailyApi, openDailyApi, refusal } from "./test/daily-api.ts";

let api: DailyApi;
let rest: DailyRest;
/** For requests that the fake API never answers. */
let impatient: DailyRest;
beforeEach(async () => {
  api = await openDailyApi();
  rest = createDailyRest({ apiKey, apiUrl: `${api.url}/`, retryDelayMs: 1 });
  impatient = createDailyRest({ apiKey, apiUrl: api.url, retryDelayMs: 1, timeoutMs: 500 });
});
afterEach(() => api[Symbol.asyncDispose]());

const paths = () => api.requests.map(({ method, path }) => `${method} ${path}`);

describe("requests", () => {
  test("create rooms and tokens, delete rooms and connect phone calls, each with the key", async () => {
    const room = await rest.createRoom({ name: "one", properties: { exp: 5, anything: { at: "all" } } });
    expect(room).toMatchObject({ name: "one", url: "https://test.daily.co/one", config: { anything: { at: "all" } } });
    expect(await rest.getRoom("one")).toEqual(room);
    expect(await rest.createToken({ room_name: "one" })).toMatch(/^ey.*\..*\./);
    await rest.updatePinlessCall({ callId: "c", callDomain: "d", sipUri: "sip:x" });
    await rest.deleteRoom("one");
    await rest.deleteRoom("one");
    expect(api.requests.map(({ authorization }) => authorization)).toEqual(Array(6).fill(`Bearer ${apiKey}`));
    expect(api.requests[0]?.body).toEqual({
      name: "one",
      privacy: "public",
      properties: { exp: 5, anything: { at: "all" } },
    });
    expect(api.pinlessUpdates).toEqual([{ callId: "c", callDomain: "d", sipUri: "sip:x" }]);
  });

  test("encode the name of a room", async () => {
    await expect(rest.getRoom("../meeting-tokens?x")).rejects.toMatchObject({ dailyStatus: 404 });
    expect(paths()).toEqual(["GET /rooms/..%2Fmeeting-tokens%3Fx"]);
  });
});

describe("errors", () => {
  test("contain Daily's error and info, as fields and in the message", async () => {
    await rest.createRoom({ name: "one", properties: {} });
    await expect(rest.createRoom({ name: "one", properties: {} })).rejects.toMatchObject({
      code: "DAILY_REFUSED",
      status: 502,
      dailyStatus: 400,
      error: "invalid-request-error",
      info: "a room named one already exists",
      message: "Daily answered POST /rooms with 400 invalid-request-error: a room named one already exists.",
    });
  });

  test("never contain the key or a phone number", async () => {
    api.failNext(
      "POST /rooms",
      refusal(401, "authentication-error", `no key ${apiKey}; display_name +1 (555) 123-4567`),
    );
    const error = await rest.createRoom({ properties: {} }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ info: "no key …; display_name +…", fix: expect.stringContaining("DAILY_API_KEY") });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/daily-key|123-4567/);
  });

  test("never contain a part of the key, not even in the error's name", async () => {
    api.failNext("POST /rooms", { status: 502, body: `${"x".repeat(190)}${apiKey}` });
    await expect(rest.createRoom({ properties: {} })).rejects.toThrow(/x…\.$/);
    api.failNext("POST /rooms", refusal(400, `no-${apiKey}`, "call of +15551234567"));
    const error = await rest.createRoom({ properties: {} }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ error: "no-…", info: "call of +…" });
    expect(JSON.stringify(error) + String(error)).not.toMatch(/daily-key|1234567/);
  });

  test("contain the first 200 characters of a proxy's page", async () => {
    api.failNext("POST /rooms", { status: 404, body: `<h1>Not here</h1>${"x".repeat(1_000)}` });
    await expect(rest.createRoom({ properties: {} })).rejects.toThrow(/404 <h1>Not here<\/h1>x{100,200}\.$/);
  });

  test.each([
    ["room", () => rest.createRoom({ properties: {} }), "POST /rooms"],
    ["token", () => rest.createToken({}), "POST /meeting-tokens"],
  ])("reject an answer without a %s", async (missing, send, request) => {
    for (const body of ["", "null", "[]", '{"url": 7, "name": "x", "token": ""}']) {
      api.failNext(request, { status: 200, body });
      await expect(send()).rejects.toMatchObject({
        code: "DAILY_REFUSED",
        message: expect.stringContaining(`without a ${missing}`),
      });
    }
  });

  test("name the network error when Daily does not answer", async () => {
    const gone = createDailyRest({ apiKey, apiUrl: "http://127.0.0.1:1/v1", retryDelayMs: 1 });
    await expect(gone.createRoom({ properties: {} })).rejects.toMatchObject({
      code: "DAILY_UNREACHABLE",
      status: 502,
      message: expect.stringMatching(/^The API of Daily did not answer: .*ECONNREFUSED.*\.$/),
    });
    api.failNext("POST /rooms", "hang");
    await expect(impatient.createRoom({ properties: {} })).rejects.toThrow("no answer within 0.5 s");
  });
});

describe("retries", () => {
  const unavailable = refusal(503, "server-error", "later");
  const limit = refusal(429, "rate-limit-error", "slower");

  test("repeat reading, deleting and tokens after 429, 5xx and a timeout, up to five attempts", async () => {
    api.failNext("POST /meeting-tokens", unavailable, limit);
    expect(await rest.createToken({})).toMatch(/^ey/);
    api.failNext("GET /rooms/x", "hang", unavailable);
    await expect(impatient.getRoom("x")).rejects.toMatchObject({ dailyStatus: 404 });
    api.failNext("DELETE /rooms/x", ...Array(5).fill(unavailable));
    await expect(rest.deleteRoom("x")).rejects.toMatchObject({ dailyStatus: 503 });
    expect(paths()).toEqual([
      ...Array(3).fill("POST /meeting-tokens"),
      ...Array(3).fill("GET /rooms/x"),
      ...Array(5).fill("DELETE /rooms/x"),
    ]);
  });

  const call = { callId: "c", callDomain: "d", sipUri: "s" };

  test("never repeat what Daily may have done: creating a room", async () => {
    api.failNext("POST", unavailable);
    await expect(rest.createRoom({ properties: {} })).rejects.toMatchObject({ dailyStatus: 503 });
    expect(paths()).toEqual(["POST /rooms"]);
  });

  test("repeat connecting a phone call once after 5xx and a timeout", async () => {
    for (const failure of [unavailable, "hang"] as const) {
      api.failNext("POST /dialin", failure);
      await impatient.updatePinlessCall(call);
    }
    expect(api.pinlessUpdates).toEqual([call, call]);
    api.failNext("POST /dialin", unavailable, unavailable);
    await expect(impatient.updatePinlessCall(call)).rejects.toMatchObject({ dailyStatus: 503 });
    api.failNext("POST /dialin", refusal(404, "not-found", "no such call"));
    await expect(impatient.updatePinlessCall(call)).rejects.toMatchObject({ dailyStatus: 404 });
    expect(api.requests).toHaveLength(7);
  });

  test("repeat all requests after 429, up to five attempts", async () => {
    api.failNext("POST /rooms", limit, limit, limit, limit);
    expect(await rest.createRoom({ name: "one", properties: {} })).toMatchObject({ name: "one" });
    api.failNext("POST /dialin", limit, limit);
    await rest.updatePinlessCall(call);
    expect(api.pinlessUpdates).toEqual([call]);
    api.failNext("POST /dialin", ...Array(5).fill(limit));
    await expect(rest.updatePinlessCall(call)).rejects.toMatchObject({ dailyStatus: 429 });
    expect(api.requests).toHaveLength(13);
  });

  test("never repeat other rejected requests", async () => {
    api.failNext("POST /meeting-tokens", refusal(400, "invalid-request-error", "no"));
    await expect(rest.createToken({})).rejects.toMatchObject({ dailyStatus: 400 });
    expect(api.requests).toHaveLength(1);
  });

  test("wait as long as Retry-After says", async () => {
    api.failNext("GET /rooms/x", { ...limit, headers: { "retry-after": "0.3" } });
    const before = performance.now();
    await rest.getRoom("x").catch(() => undefined);
    expect(performance.now() - before).toBeGreaterThan(290);
  });
});

import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { describe, expect, test } from "vitest";
import type { RoomsRunner } from "./test/rooms-runner.ts";
import { useDaily } from "./test/use-daily.ts";

const daily = useDaily();
const { open } = daily;

/** Not by `fetch`, which says by itself how it was called. */
async function ask({ runner }: RoomsRunner, headers: Record<string, string> = {}, method = "GET") {
  const asked = request(new URL("/daily", runner.url), { method, headers, agent: false }).end();
  const [response] = (await once(asked, "response")) as [IncomingMessage];
  const text = String(Buffer.concat(await response.toArray()));
  const code: unknown = text.startsWith("{") ? JSON.parse(text).code : undefined;
  return { status: response.statusCode, headers: response.headers, code };
}

describe("GET /daily", () => {
  test("makes a room with a bot in it and leads there, without a token", async () => {
    const rooms = await open();
    const response = await ask(rooms);
    expect(response.status).toBe(302);
    expect(response.headers.location).toBe(rooms.calls[0]?.roomUrl);
    expect(rooms.runner.sessions.counts).toEqual({ pending: 0, active: 1 });
  });

  test("is refused like a start request", async () => {
    const full = await open({ maxSessions: 1 });
    await ask(full);
    expect(await ask(full)).toMatchObject({ status: 429, code: "AT_CAPACITY" });
    expect(daily.api.rooms.size).toBe(1);
  });

  test("starts nothing for whoever asks for the head alone", async () => {
    const rooms = await open();
    const response = await ask(rooms, {}, "HEAD");
    expect([response.status, response.headers.allow]).toEqual([405, "GET"]);
    expect([daily.api.requests, rooms.calls]).toEqual([[], []]);
  });

  // https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
  test.each([
    ["a picture of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }],
    ["a script of another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" }],
    ["another site in an unknown way", { "sec-fetch-site": "cross-site" }],
  ])("starts nothing for %s", async (_, headers) => {
    const rooms = await open();
    expect(await ask(rooms, headers)).toMatchObject({ status: 403, code: "ORIGIN_REFUSED" });
    expect([daily.api.requests, rooms.calls]).toEqual([[], []]);
  });

  test.each([
    ["a link on another site", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }],
    ["the address bar", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate" }],
    ["the server's own page", { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors" }],
  ])("opens a room for %s", async (_, headers) => {
    expect((await ask(await open(), headers)).status).toBe(302);
  });
});

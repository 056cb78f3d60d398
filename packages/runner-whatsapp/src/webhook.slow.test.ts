import type { Bot } from "@pipecat-ts/runner-core";
import { expect, test } from "vitest";
import { openFixture } from "./test/fixture.ts";
import { createJunk } from "./test/junk.ts";
import { post } from "./test/webhooks.ts";

const bot: Bot = () => undefined;

test("2,000 invalid requests, signed or not, get statuses below 500 and leave no session", {
  timeout: 180_000,
}, async () => {
  const { runner, api, logger } = await openFixture(bot);
  const url = new URL("/whatsapp", runner.url);
  const junk = createJunk(20_260);
  const counts: Record<number, number> = {};
  for (let sent = 0; sent < 2_000; sent += 50)
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const { method, query, headers, body } = junk();
        const response = await fetch(`${url.href}${query}`, {
          method,
          headers,
          ...(body === undefined ? {} : { body }),
        });
        await response.text();
        counts[response.status] = (counts[response.status] ?? 0) + 1;
      }),
    );
  // The requests are invalid in many ways.
  expect(
    Object.keys(counts)
      .map(Number)
      .filter((status) => status >= 500),
  ).toEqual([]);
  for (const status of [200, 400, 401, 403]) expect(counts[status], `of ${status}`).toBeGreaterThan(20);
  expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
  // The calls among them have invalid offers.
  expect(new Set(api.actions)).toEqual(new Set(["reject"]));
  await expect.poll(() => [...runner.sessions].length).toBe(0);
  expect((await post(runner, {})).status).toBe(200);
});

import type { Bot } from "@pipecat-ts/runner-core";
import { send } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { createJunk } from "./test/junk.ts";
import { openStage, type Stage } from "./test/stage.ts";
import { business, connectOf, newCallId, post, sign, terminateOf, webhookOf } from "./test/webhooks.ts";

const bot: Bot = () => undefined;
const done = { status: "success", message: "Webhook processed successfully" };

function verify({ runner }: Stage, query: Readonly<Record<string, string>>) {
  const url = new URL("/whatsapp", runner.url);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(`hub.${name}`, value);
  return send(url);
}

describe("GET /whatsapp", () => {
  test("answers the challenge of whoever has the token, as a number", async () => {
    const stage = await openStage(bot);
    const token = { mode: "subscribe", verify_token: business.verificationToken };
    for (const challenge of ["1158201444", "00012", "18446744073709551615"]) {
      const { status, headers, text } = await verify(stage, { ...token, challenge });
      expect([status, text]).toEqual([200, challenge]);
      expect(headers["content-type"]).toMatch(/^application\/json/);
    }
    expect((await verify(stage, { ...token, challenge: "<script>" })).status).toBe(400);
    expect((await verify(stage, token)).status).toBe(400);
  });

  test.each([
    ["another token", { mode: "subscribe", verify_token: "guessed", challenge: "1" }],
    ["an empty token", { mode: "subscribe", verify_token: "", challenge: "1" }],
    ["no token", { mode: "subscribe", challenge: "1" }],
    ["another mode", { mode: "unsubscribe", verify_token: business.verificationToken, challenge: "1" }],
    ["nothing", {}],
  ])("refuses %s", async (_, query) => {
    const { status, json } = await verify(await openStage(bot), query);
    expect([status, json]).toEqual([403, expect.objectContaining({ code: "VERIFICATION_REFUSED" })]);
  });
});

describe("POST /whatsapp", () => {
  const hello = webhookOf({}, { calls: undefined, messages: [{ type: "text", text: { body: "Grüß Gott 👋" } }] });

  test.each([
    ["a text message", hello],
    ["the state of a message", webhookOf({}, { calls: undefined, statuses: [{ status: "read" }] })],
    ["the state of a call", webhookOf({}, { calls: undefined, statuses: [{ status: "RINGING", type: "call" }] })],
    ["a call that the business makes", connectOf(newCallId(), "v=0")],
    ["another field", { object: "whatsapp_business_account", entry: [{ changes: [{ field: "account_update" }] }] }],
    ["another product", { object: "page", entry: [] }],
    ["the end of an unknown call", terminateOf(newCallId())],
    ["nothing", {}],
    ["a list", []],
  ])("is quiet about %s", async (what, body) => {
    const { runner, graph, logger } = await openStage(bot);
    const sent = JSON.parse(JSON.stringify(body).replace("USER_INITIATED", "BUSINESS_INITIATED"));
    const { status, json } = await post(runner, sent);
    expect([status, json], what).toEqual([200, done]);
    expect([graph.actions, [...runner.sessions]]).toEqual([[], []]);
    expect(logger.lines.filter(({ level }) => level !== "debug")).toEqual([]);
  });

  test.each([
    ["no signature", {}, 401],
    ["another app's signature", { "x-hub-signature-256": sign(JSON.stringify(hello), "guessed") }, 403],
    ["the signature of another body", { "x-hub-signature-256": sign("{}") }, 403],
    ["half a signature", { "x-hub-signature-256": sign(JSON.stringify(hello)).slice(0, 40) }, 403],
    ["SHA-1", { "x-hub-signature-256": "sha1=0123456789012345678901234567890123456789" }, 403],
    ["no algorithm", { "x-hub-signature-256": sign(JSON.stringify(hello)).slice(7) }, 403],
    ["junk", { "x-hub-signature-256": "sha256=ü" }, 403],
  ])("refuses %s", async (_, signature, expected) => {
    const { runner, graph } = await openStage(bot);
    const headers = { "content-type": "application/json", ...signature };
    const answer = await send(new URL("/whatsapp", runner.url), {
      method: "POST",
      body: JSON.stringify(hello),
      headers,
    });
    expect([answer.status, answer.json]).toEqual([expected, expect.objectContaining({ code: "SIGNATURE_INVALID" })]);
    expect(graph.actions).toEqual([]);
  });

  test("goes by the bytes as they came, not by what they mean", async () => {
    const { runner } = await openStage(bot);
    const written = JSON.stringify(hello).replaceAll("ü", "\\u00fc").replace("{", "{ \n ");
    const signature = { "x-hub-signature-256": sign(written) };
    const url = new URL("/whatsapp", runner.url);
    expect(
      (
        await send(url, {
          method: "POST",
          body: written,
          headers: { ...signature, "content-type": "application/json" },
        })
      ).status,
    ).toBe(200);
    expect((await post(runner, hello, signature)).status).toBe(403);
  });

  test("10,000 pieces of junk, signed or not, are answered below 500 and leave nothing", {
    timeout: 180_000,
  }, async () => {
    const { runner, graph, logger } = await openStage(bot);
    const url = new URL("/whatsapp", runner.url);
    const junk = createJunk(20_260);
    const counts: Record<number, number> = {};
    for (let sent = 0; sent < 10_000; sent += 50)
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
    // Every kind of answer, so the junk is of many kinds; none of 5xx.
    expect(
      Object.keys(counts)
        .map(Number)
        .filter((status) => status >= 500),
    ).toEqual([]);
    for (const status of [200, 400, 401, 403]) expect(counts[status], `of ${status}`).toBeGreaterThan(100);
    expect(logger.lines.filter(({ level }) => level === "error")).toEqual([]);
    // What was a call got no further than its offer.
    expect(new Set(graph.actions)).toEqual(new Set(["reject"]));
    await expect.poll(() => [...runner.sessions].length).toBe(0);
    expect((await post(runner, hello)).status).toBe(200);
  });
});

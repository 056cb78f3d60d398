import type { Bot } from "@pipecat-ts/runner-core";
import { send } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import { type Fixture, openFixture } from "./test/fixture.ts";
import {
  business,
  connectOf,
  connectOfUser,
  newCallId,
  post,
  sign,
  terminateOf,
  userId,
  webhookOf,
} from "./test/webhooks.ts";

const bot: Bot = () => undefined;
const done = { status: "success", message: "Webhook processed successfully" };

function verify({ runner }: Fixture, query: Readonly<Record<string, string>>) {
  const url = new URL("/whatsapp", runner.url);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(`hub.${name}`, value);
  return send(url);
}

describe("GET /whatsapp", () => {
  test("returns the challenge as a number for the right token", async () => {
    const fixture = await openFixture(bot);
    const token = { mode: "subscribe", verify_token: business.verificationToken };
    for (const challenge of ["1158201444", "00012", "18446744073709551615"]) {
      const { status, headers, text } = await verify(fixture, { ...token, challenge });
      expect([status, text]).toEqual([200, challenge]);
      expect(headers["content-type"]).toMatch(/^application\/json/);
    }
    expect((await verify(fixture, { ...token, challenge: "<script>" })).status).toBe(400);
    expect((await verify(fixture, token)).status).toBe(400);
  });

  test.each([
    ["another token", { mode: "subscribe", verify_token: "guessed", challenge: "1" }],
    ["an empty token", { mode: "subscribe", verify_token: "", challenge: "1" }],
    ["no token", { mode: "subscribe", challenge: "1" }],
    ["another mode", { mode: "unsubscribe", verify_token: business.verificationToken, challenge: "1" }],
    ["no parameters", {}],
  ])("rejects %s", async (_, query) => {
    const { status, json } = await verify(await openFixture(bot), query);
    expect([status, json]).toEqual([403, expect.objectContaining({ code: "VERIFICATION_REFUSED" })]);
  });
});

describe("POST /whatsapp", () => {
  const hello = webhookOf({}, { calls: undefined, messages: [{ type: "text", text: { body: "Grüß Gott 👋" } }] });

  test.each([
    ["a text message", hello],
    ["a message status", webhookOf({}, { calls: undefined, statuses: [{ status: "read" }] })],
    ["a call status", webhookOf({}, { calls: undefined, statuses: [{ status: "RINGING", type: "call" }] })],
    ["a call that the business makes", connectOf(newCallId(), "v=0")],
    ["another field", { object: "whatsapp_business_account", entry: [{ changes: [{ field: "account_update" }] }] }],
    ["another product", { object: "page", entry: [] }],
    ["the end of an unknown call", terminateOf(newCallId())],
    ["an empty object", {}],
    ["a list", []],
  ])("ignores %s", async (description, body) => {
    const { runner, api, logger } = await openFixture(bot);
    const sent = JSON.parse(JSON.stringify(body).replace("USER_INITIATED", "BUSINESS_INITIATED"));
    const { status, json } = await post(runner, sent);
    expect([status, json], description).toEqual([200, done]);
    expect([api.actions, [...runner.sessions]]).toEqual([[], []]);
    expect(logger.lines.filter(({ level }) => level !== "debug")).toEqual([]);
  });

  test("takes a call from a caller with a username, here with an invalid offer, and does not log the user id", async () => {
    const { runner, api } = await openFixture(bot);
    await post(runner, connectOfUser(newCallId(), "v=0"));
    await expect.poll(() => api.actions).toEqual(["reject"]);
  });

  test("warns of a call event in an unknown format, without its content", async () => {
    const { runner, logger } = await openFixture(bot);
    const { status } = await post(runner, webhookOf({ id: newCallId(), from_user_id: userId, event: "hold" }));
    const warnings = logger.lines.filter(({ level }) => level !== "debug");
    expect([status, warnings]).toEqual([
      200,
      [expect.objectContaining({ level: "warn", message: expect.stringContaining("unknown format") })],
    ]);
  });

  test.each([
    ["no signature", {}, 401],
    ["another app's signature", { "x-hub-signature-256": sign(JSON.stringify(hello), "guessed") }, 403],
    ["the signature of another body", { "x-hub-signature-256": sign("{}") }, 403],
    ["half a signature", { "x-hub-signature-256": sign(JSON.stringify(hello)).slice(0, 40) }, 403],
    ["SHA-1", { "x-hub-signature-256": "sha1=0123456789012345678901234567890123456789" }, 403],
    ["no algorithm", { "x-hub-signature-256": sign(JSON.stringify(hello)).slice(7) }, 403],
    ["an invalid signature", { "x-hub-signature-256": "sha256=ü" }, 403],
  ])("rejects %s", async (_, signature, expected) => {
    const { runner, api } = await openFixture(bot);
    const headers = { "content-type": "application/json", ...signature };
    const answer = await send(new URL("/whatsapp", runner.url), {
      method: "POST",
      body: JSON.stringify(hello),
      headers,
    });
    expect([answer.status, answer.json]).toEqual([expected, expect.objectContaining({ code: "SIGNATURE_INVALID" })]);
    expect(api.actions).toEqual([]);
  });

  test("checks the signature of the bytes, not of the parsed JSON", async () => {
    const { runner } = await openFixture(bot);
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
});

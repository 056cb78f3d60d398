import { type Bot, createTransport } from "@pipecat-ts/runner-core";
import { createRunner, type Runner } from "@pipecat-ts/runner-host";
import { until } from "@pipecat-ts/runner-testing";
import { describe, expect, test } from "vitest";
import plugin from "./plugin.ts";
import { openFixture } from "./test/fixture.ts";
import { business, connectOf, newCallId, post, terminateOf } from "./test/webhooks.ts";

const timeoutMs = 10_000;

const silentBot: Bot = async (args) => {
  const transport = await createTransport(args, { webrtc: () => ({}) });
  await transport.closed;
};

/** Whether all sessions have ended. */
function isIdle(runner: Runner): boolean {
  return [...runner.sessions].length === 0;
}

describe("credentials", () => {
  test("that are missing are named, and the runner starts without WhatsApp", async () => {
    const { phoneNumberId, verificationToken } = business;
    const { runner } = await openFixture(silentBot, {
      pluginOptions: { whatsapp: { phoneNumberId, verificationToken } },
    });
    expect(runner.transports).toEqual([
      expect.objectContaining({
        availability: {
          state: "unavailable",
          reason: "WHATSAPP_APP_SECRET, WHATSAPP_TOKEN are not set.",
          fix: expect.any(String),
        },
      }),
    ]);
    expect((await post(runner, terminateOf(newCallId()))).status).toBe(404);
  });

  test("that are missing stop the start with --whatsapp", async () => {
    const options = { bot: silentBot, plugins: [plugin], port: 0 };
    const runner = createRunner({ ...options, pluginOptions: { whatsapp: { whatsapp: true } }, env: {} });
    await expect(runner.listen()).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(/APP_SECRET, .*PHONE_NUMBER_ID, .*TOKEN, .*VERIFICATION_TOKEN are not set/),
    });
  });
});

test.each([
  [undefined, "limited", []],
  [
    "https://bots.example.com",
    "ready",
    [expect.stringMatching(/^Set the webhook .* https:\/\/bots\.example\.com\/whatsapp$/)],
  ],
])("with the public URL %s, the banner has what to do", async (publicUrl, state, banner) => {
  const options = { bot: silentBot, plugins: [plugin], host: "127.0.0.1", port: 0, env: {} };
  const runner = createRunner({ ...options, publicUrl, pluginOptions: { whatsapp: business } });
  await runner.listen();
  expect(runner.transports).toMatchObject([{ availability: { state }, banner }]);
  await runner.close();
});

test("webhooks for another business number are ignored", async () => {
  const { runner, api } = await openFixture(silentBot, { whatsapp: { phoneNumberId: "1" } });
  expect((await post(runner, connectOf(newCallId(), "v=0"))).status).toBe(200);
  expect([api.actions, isIdle(runner)]).toEqual([[], true]);
});

test("a call with an invalid offer is rejected", async () => {
  const { runner, api, logger } = await openFixture(silentBot);
  await post(runner, connectOf(newCallId(), "v=0\r\n"));
  await until("it is rejected", () => api.actions.includes("reject"), timeoutMs);
  await until("the session has ended", () => isIdle(runner), timeoutMs);
  expect(logger.lines).toContainEqual(
    expect.objectContaining({ level: "warn", fields: expect.objectContaining({ code: "OFFER_INVALID" }) }),
  );
});

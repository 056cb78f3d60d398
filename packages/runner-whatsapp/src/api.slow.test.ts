import { expect, test } from "vitest";
import { createWhatsAppApi } from "./api.ts";
import { type CallConnect, parseCallEvents } from "./messages.ts";
import { startFakeApi } from "./test/fake-api.ts";
import { business, connectOf } from "./test/webhooks.ts";

test("both attempts to hang up end within the 5 s of a session's end", async () => {
  const fake = await startFakeApi();
  const api = createWhatsAppApi({ ...business, apiUrl: fake.url });
  const [call] = parseCallEvents(connectOf("wacid.1", "v=0")) as [CallConnect];
  fake.reply = () => "hang";
  const startedMs = performance.now();
  await expect(api.terminate(call)).rejects.toMatchObject({ code: "WHATSAPP_UNREACHABLE" });
  expect(fake.actions).toEqual(["terminate", "terminate"]);
  expect(performance.now() - startedMs).toBeLessThan(5_000);
});
